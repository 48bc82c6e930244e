"""Refinement of weak labels in context: theory against Monte Carlo, and the learned parts at tiny sizes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.experiments import refinement_learned as learned
from pipeline.experiments import refinement_style as style
from pipeline.models import sequences
from pipeline.theory import refinement
from pipeline.theory.refinement import Teacher

TEACHERS = [Teacher(30, 1, 1), Teacher(50, 0.5, 0.5), Teacher(70, 1, 1), Teacher(0, 2, 1), Teacher(90, 1, 1)]


def contexts(teacher: Teacher, count: int, pairs: int, concepts: int, generator: np.random.Generator) -> np.ndarray:
    """Posteriors (count, pairs + 1, concepts) of contexts drawn as they come."""
    draws = generator.standard_normal((count, pairs, concepts + 2))
    turn = np.radians(teacher.angle)
    labels = np.cos(turn) * draws[..., 0] + np.sin(turn) * draws[..., -2] + teacher.noise * draws[..., -1]
    return refinement.posterior(draws[..., :concepts], labels, teacher.deviation)


@pytest.mark.parametrize("teacher", TEACHERS)
def test_the_tilted_moments_are_those_of_plain_contexts(teacher: Teacher, generator: np.random.Generator) -> None:
    sizes = (0, 1, 4, 16)
    plain = contexts(teacher, 20_000, 16, 4, generator)[:, sizes]
    wrong, squared = 1 - plain[..., 0], np.square(plain - np.eye(4)[0]).sum(axis=-1)
    found = refinement.moments(teacher, 4, 20_000, sizes, generator)
    for measured, expected in ((wrong, found.wrong), (squared, found.squared)):
        error = 4.5 * measured.std(axis=0) / np.sqrt(len(measured)) + 0.03 * expected  # 3 %: the tilted draws' own
        assert (np.abs(measured.mean(axis=0) - expected) <= error + 1e-12).all()


@pytest.mark.parametrize("teacher", [teacher for teacher in TEACHERS if teacher.angle < 90])
def test_the_rate_is_the_least_moment_of_the_log_odds(teacher: Teacher, generator: np.random.Generator) -> None:
    """-log min E exp(s l) on a grid of s, from draws of the log-odds themselves; and the mean of l."""
    draws, turn = generator.standard_normal((400_000, 4)), np.radians(teacher.angle)
    labels = np.cos(turn) * draws[:, 0] + np.sin(turn) * draws[:, 2] + teacher.noise * draws[:, 3]
    odds = (np.square(labels - draws[:, 0]) - np.square(labels - draws[:, 1])) / (2 * teacher.deviation**2)
    least = min(np.exp(s * odds).mean() for s in np.linspace(0, 1, 101))
    assert -np.log(least) == pytest.approx(refinement.decay_rate(teacher), abs=0.004)
    assert odds.mean() == pytest.approx(refinement.mean_log_odds(teacher), abs=6 * odds.std() / len(odds) ** 0.5)


def test_the_student_decays_twice_as_fast_as_answers_in_context(generator: np.random.Generator) -> None:
    """With the factors 1/n and 1/sqrt(n) of the sharp asymptotics (Bahadur and Rao) taken off."""
    teacher, sizes = Teacher(30, 1, 1), (128, 256)
    found = refinement.moments(teacher, 5, 4_000, sizes, generator)
    for values, factor, power in ((refinement.excess(found.wrong, 5), 2, 1.0), (found.squared, 1, 0.5)):
        slope = -np.diff(np.log(values * np.power(sizes, power)))[0] / 128
        assert slope == pytest.approx(factor * refinement.decay_rate(teacher), rel=0.02)


def test_the_floor_is_the_least_of_all_pulls(generator: np.random.Generator) -> None:
    for weak, source, target in generator.standard_normal((20, 3, 4)):
        risks = [
            np.square(refinement.pulled(weak, source, eta) - target).sum() for eta in np.geomspace(1e-4, 1e4, 2001)
        ]
        assert refinement.floor(weak, source, target) == pytest.approx(min(risks), rel=1e-3)


def test_hand_values() -> None:
    """Both teachers of the first case are right: C = log(1 + 1 / (2 noise^2)) / 2, Bhattacharyya's for equal noise."""
    assert refinement.decay_rate(Teacher(0, 1, 1)) == pytest.approx(np.log(1.5) / 2)
    assert refinement.decay_rate(Teacher(90, 1, 1)) == 0
    concepts = np.eye(6)[:5]
    weak = refinement.weak_concept(concepts, np.eye(6)[5], 50)
    assert np.square(weak - concepts[0]).sum() == pytest.approx(2 - 2 * np.cos(np.radians(50)))
    assert refinement.floor(weak, concepts.mean(axis=0), concepts[0]) == pytest.approx(0.5196, abs=1e-4)
    assert refinement.broken(0.3, 5, 0.0, 64) == pytest.approx(0.3) and refinement.broken(0.0, 5, 0.1, 1) == 0.1


LEARNER = learned.Settings.model_validate(
    {
        "data": {"seeds": (0,), "concepts": 2, "dimension": 3, "deviation": 0.5, "questions": 9, "test": 5},
        "represent": {
            "network": {"layers": 1, "width": 32, "heads": 2},
            "pairs": 8,
            "training": {"steps": 150, "batch_size": 64, "learning_rate": 0.01, "weight_decay": 0.0},
            "looked_at": 400,
        },
        "weak": {"angle": 50.0, "labels": 6, "units": 3, "steps": 3, "learning_rate": 0.01},
        "labels": {"n_icl": (0, 8)},
        "strong": {
            "training": {"steps": 1, "batch_size": 4, "learning_rate": 0.001, "weight_decay": 0.0},
            "etas": (0.0,),
        },
        "evaluate": {"confidence": 0.95},
    }
)


def test_a_learner_is_bayes_without_context_and_learns_from_pairs() -> None:
    """Without pairs the mean concept is best; with eight the error falls well below, and never below that of Bayes."""
    torch.set_num_threads(1)
    own = learned.drawn(0, LEARNER.data)
    kept = learned.learn(0, LEARNER, {"seed-0": own})
    errors = {name: np.square(kept[name] - kept["truth"]).mean(axis=0) for name in ("own", "bayes")}
    assert errors["own"][0] == pytest.approx(errors["bayes"][0], rel=0.15)
    assert errors["bayes"][8] <= errors["own"][8] < 0.5 * errors["own"][0]


def test_an_answer_depends_on_no_label_at_or_after_its_question(generator: np.random.Generator) -> None:
    model = learned.network(0, LEARNER)
    x, y = generator.standard_normal((2, 9, 3)), generator.standard_normal((2, 9))
    changed = y.copy()
    changed[:, 4:] = 9.0
    with torch.no_grad():
        before, after = (model(learned.tokens(x, labels)).numpy() for labels in (y, changed))
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert not np.allclose(before[:, 5:], after[:, 5:])


def test_no_question_is_in_its_own_context(generator: np.random.Generator) -> None:
    steps = learned.shifts(generator, 50, 9, 8)
    assert steps.min() == 1 and (np.sort(steps, axis=1) == np.arange(1, 9)).all()


def test_weights_come_back_as_they_were() -> None:
    shape = sequences.Shape(layers=1, width=8, heads=2)
    first, second = (sequences.made(seed, shape, 4, 3, 2) for seed in (0, 1))
    sequences.load(second, {**sequences.weights(first), "losses": np.zeros(3)})
    inputs = torch.ones(1, 4, 3)
    assert torch.equal(first(inputs), second(inputs))


def test_content_and_style_are_scored_apart(generator: np.random.Generator) -> None:
    data = style.Data(seeds=(0,), questions=8, answers=5, styles=3, plain=0.5, known=0.5)
    language = style.Language(data, style.drawn(0, data))
    every = np.arange(8)
    expected = {
        (style.WANTED, False): (1, 1),
        (style.PLAIN, False): (1, 0),
        (style.WANTED, True): (0.5, 1),
        (2, True): (0.5, 0),
    }
    for (own, ignorant), means in expected.items():
        assert tuple(language.scores(language.items(generator, every, own, ignorant)).mean(axis=1)) == means
    items = style.documents(generator, language, 30, 6, 0.5).reshape(30, 6, 4)
    assert items.max() < data.vocabulary and all(len(set(document[:, 0])) == 6 for document in items)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"refinement__data__cases__angle-30__concepts": 20}, ("angle-30", "20 orthonormal concepts", "at least 21")),
        ({"refinement__data__cases__angle-30__angle": 95.0}, ("angle-30.angle is 95.0", "less than or equal to 90")),
        ({"refinement__labels__n_icl": [0]}, ("labels.n_icl", "only empty contexts", "above 0")),
        ({"refinement__labels__dependence__cases": ["none"]}, ("names none", "angle-30")),
        ({"refinement_learned__labels__n_icl": [0, 40]}, ("labels.n_icl 40 exceeds the 4 pairs", "represent.pairs")),
        ({"refinement_learned__data__concepts": 3}, ("3 orthonormal concepts", "at least 4")),
        ({"refinement_style__labels__n_icl": [3]}, ("labels.n_icl 3 exceeds the 2 examples", "represent.examples")),
    ],
)
def test_bad_settings_end_in_one_line(
    change: dict[str, Any], words: tuple[str, ...], write_params: Callable[..., None]
) -> None:
    write_params(**change)
    (key,) = change
    with pytest.raises(InputError) as error:
        experiments.load(key.partition("__")[0])
    assert all(word in str(error.value) for word in (f"{key.partition('__')[0]}.yaml", *words))
    assert "\n" not in str(error.value)
