"""Bregman divergences by hand and by property, the projection against a search, mixed heads, bad input."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.models.softmax import combined
from pipeline.theory import bregman
from pipeline.theory.bregman import GENERATORS
from pipeline.theory.divergence import mean

SEEDS = st.integers(0, 10**6)
P, Q = np.array([[0.5, 0.25]]), np.array([[0.25, 0.5]])
HAND = {
    "squared": 1 / 8,
    "kl": np.log(2) / 4,
    "itakura_saito": 2 - np.log(2) + 1 / 2 + np.log(2) - 2,
    "logistic": np.log(2) / 4 + np.log(2 / 3) / 2 + 3 / 4 * np.log(3 / 2),
}


def predictions(seed: int, count: int) -> list[np.ndarray]:
    return list(softmax(np.random.default_rng(seed).normal(0, 1.5, (count, 12, 3)), axis=-1))


@pytest.mark.parametrize("name", GENERATORS)
def test_hand_values(name: str) -> None:
    np.testing.assert_allclose(bregman.divergence(bregman.by_name(name), P, Q), HAND[name], rtol=1e-12)


@given(SEEDS)
def test_kl_of_distributions_is_the_one_of_classification(seed: int) -> None:
    first, second = predictions(seed, 2)
    np.testing.assert_allclose(bregman.divergence(GENERATORS["kl"], first, second), mean("forward_kl", first, second))


@settings(max_examples=25)
@given(SEEDS)
def test_misfit_less_gain_is_the_cross_term_and_no_divergence_is_negative(seed: int) -> None:
    drawn = bregman.drawn(np.random.default_rng(seed), 3)
    for generator in (*GENERATORS.values(), drawn):
        truth, teacher, student = predictions(seed, 3)
        found = bregman.gain(generator, truth, teacher, student)
        np.testing.assert_allclose(found.misfit - found.gain, found.cross_term, atol=1e-9, rtol=1e-9)
        assert found.misfit > 0 and bregman.divergence(generator, truth, truth) == pytest.approx(0, abs=1e-12)


@settings(max_examples=10)
@given(SEEDS)
def test_a_projection_gains_at_least_its_misfit_where_the_class_holds_the_truth(seed: int) -> None:
    stream = np.random.default_rng(seed)
    *each, teacher = predictions(seed, 4)
    experts = np.stack(each, axis=1)
    truth = np.einsum("e,nec->nc", stream.dirichlet(np.ones(3)), experts)
    for generator in (*GENERATORS.values(), bregman.drawn(stream, 3)):
        weights = combined.project(generator, experts, teacher)
        gap = combined.slack(generator, experts, teacher, weights)
        student = np.einsum("e,nec->nc", weights, experts)
        found = bregman.gain(generator, truth, teacher, student)
        assert found.cross_term <= gap + 1e-12 and gap < 1e-4 * (1 + found.misfit)
        others = stream.dirichlet(np.ones(3), 50)
        tried = [bregman.divergence(generator, np.einsum("e,nec->nc", other, experts), teacher) for other in others]
        assert found.misfit <= min(tried) + gap


def test_a_mixture_of_heads_learns_what_one_head_cannot(generator: np.random.Generator) -> None:
    """Two heads that say opposite things, mixed: neither softmax-linear nor the mean label."""
    x = generator.normal(size=(400, 1))
    target = softmax(np.concatenate([6 * x, -6 * x], axis=1), axis=1) * 0.5 + [0.0, 0.5]
    common = {"loss": "forward_kl", "steps": 150, "batch_size": 100, "learning_rate": 0.2, "weight_decay": 0.0}
    errors = []
    for heads in (1, 4):
        fitted = combined.fit(x, target, np.random.default_rng(0), heads=heads, **common)
        assert fitted["heads"].shape == (heads, 2, 2) and np.exp(fitted["weights"]).sum() == pytest.approx(1)
        errors.append(mean("forward_kl", target, combined.predict(x, fitted)))
    assert errors[1] < errors[0] / 10


@pytest.mark.parametrize(
    ("name", "first", "message"),
    [
        ("itakura_saito", [[0.5, 0.0]], r"first\[0, 1\] is 0, off the generator's domain \(0, inf\); put a floor"),
        ("kl", [[-0.1, 1.1]], r"first\[0, 0\] is -0.1, off the generator's domain \[0, inf\]"),
        ("logistic", [[1.5, 0.5]], r"first\[0, 0\] is 1.5, off the generator's domain \[0, 1\]"),
        ("squared", [[np.nan, 0.5]], r"first\[0, 0\] is nan, off the generator's domain"),
        ("squared", [[0.5]], "first has shape .*; evaluate both on one sample"),
    ],
)
def test_what_is_off_the_domain_is_named(name: str, first: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bregman.divergence(GENERATORS[name], first, [[0.5, 0.5]])


def test_a_one_hot_truth_may_come_first_alone() -> None:
    assert bregman.divergence(GENERATORS["kl"], [[1.0, 0.0]], [[0.5, 0.5]]) == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match=r"second\[0, 1\] is 0, off the generator's domain \(0, inf\)"):
        bregman.divergence(GENERATORS["kl"], [[0.5, 0.5]], [[1.0, 0.0]])


def test_no_heads_and_unknown_names_are_refused(generator: np.random.Generator) -> None:
    common = {"steps": 1, "batch_size": 1, "learning_rate": 0.1, "weight_decay": 0.0}
    for heads, loss, words in ((0, "reverse_kl", "heads is 0"), (1, "hinge", "loss is 'hinge'; choose from")):
        with pytest.raises(ValueError, match=words):
            combined.fit(np.ones((2, 1)), np.full((2, 2), 0.5), generator, heads=heads, loss=loss, **common)
    with pytest.raises(ValueError, match="generator 'entropy' is not known; choose from squared"):
        bregman.by_name("entropy")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"bregman__strong__heads": [0, 5]},
            r"studies/bregman.yaml: strong.heads\[0\] is 0; .*greater than or equal to 1",
        ),
        ({"bregman__strong__batch_size": 9000}, "strong.batch_size 9000 exceeds the smallest sample, 40; lower it"),
        ({"bregman__data__digits__student": 1700}, "teacher and student use 1800 of 1797; leave 100 for a test"),
        ({"bregman__data__hull__outside": [1.5]}, r"data.hull.outside\[0\] is 1.5; .*less than or equal to 1"),
    ],
)
def test_settings_that_cannot_hold_are_one_line(changes: dict, words: str, write_params: Callable[..., None]) -> None:
    write_params(**changes)
    with pytest.raises(InputError, match=words):
        experiments.load("bregman")
