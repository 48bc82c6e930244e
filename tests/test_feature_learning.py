"""Networks over patches against a plain loop; the basis in which they are trained; bad settings; fits to the map."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.experiments.feature_learning import evaluate
from pipeline.experiments.feature_learning.common import digits, points
from pipeline.experiments.feature_learning.common.points import HARD, Point
from pipeline.experiments.feature_learning.settings import Shares
from pipeline.models.patches import Patches, descend, descend_linear, gaussian_rows, outputs, rotated
from pipeline.summary import feature_learning as statistics

Array = np.ndarray
Problem = dict[str, Array]
HALF = Shares(easy=0.2, hard=0.3, both=0.5)


def plain_descent(patches: Array, labels: Array, filters: Array, rate: float, steps: int) -> Array:
    """One network, patches (n, slots, d): outputs before each step and after the last."""
    weights = torch.tensor(filters, dtype=torch.float64, requires_grad=True)
    x, y = torch.tensor(patches, dtype=torch.float64), torch.tensor(labels, dtype=torch.float64)
    half, found = filters.shape[1] // 2, []
    for _ in range(steps + 1):
        excited = torch.relu(x @ weights).sum(dim=1)
        said = excited[:, :half].mean(dim=1) - excited[:, half:].mean(dim=1)
        found.append(said.detach().numpy())
        (slope,) = torch.autograd.grad(torch.nn.functional.softplus(-y * said).mean(), weights)
        weights.data -= rate * slope
    return np.stack(found)


@pytest.fixture
def problem(generator: np.random.Generator) -> Problem:
    """Two networks on 6 examples of 3 patches in 40 coordinates."""
    return {
        "patches": generator.standard_normal((2, 3, 6, 40)).astype(np.float32),
        "labels": generator.choice([-1, 1], (2, 6)),
        "filters": (0.1 * generator.standard_normal((2, 40, 4))).astype(np.float32),
        "rates": np.array([0.3, 0.1]),
    }


def expected(problem: Problem, steps: int) -> Array:
    nets = zip(problem["patches"].swapaxes(1, 2), problem["labels"], problem["filters"], problem["rates"], strict=True)
    return np.stack([plain_descent(*net, steps) for net in nets], axis=1)


def test_a_batch_of_networks_follows_the_plain_loop(problem: Problem) -> None:
    groups = [Patches(problem["patches"][..., :10], 0), Patches(problem["patches"][..., 10:], 10)]
    # Columns given apart are slots of their own: the ReLU stands between them.
    whole = [Patches(problem["patches"], 0)]
    given = (problem["labels"], problem["filters"], problem["rates"], range(21))
    found = np.stack([said for _, _, said in descend(whole, *given)])
    np.testing.assert_allclose(found, expected(problem, 20), rtol=2e-4, atol=1e-5)
    parts = np.stack([said for _, _, said in descend(groups, *given)])
    assert np.abs(parts - found).max() > 0.01
    split = np.zeros((2, 6, 6, 40), np.float32)
    split[:, :3, :, :10], split[:, 3:, :, 10:] = problem["patches"][..., :10], problem["patches"][..., 10:]
    padded = np.stack([said for _, _, said in descend([Patches(split, 0)], *given)])
    np.testing.assert_allclose(parts, padded, rtol=1e-4, atol=1e-5)


def test_the_span_of_what_networks_meet_is_enough(problem: Problem) -> None:
    """In coordinates of patches and first filters alone, 22 of 40, outputs are those of the full space."""
    met = np.concatenate([problem["patches"].reshape(2, 18, 40), problem["filters"].transpose(0, 2, 1)], axis=1)
    reduced = rotated(met.transpose(0, 2, 1)).transpose(0, 2, 1)
    assert reduced.shape[-1] == 22
    groups = [Patches(reduced[:, :18].reshape(2, 3, 6, 22), 0)]
    filters = reduced[:, 18:].transpose(0, 2, 1)
    found = [said for _, _, said in descend(groups, problem["labels"], filters, problem["rates"], range(21))]
    np.testing.assert_allclose(np.stack(found), expected(problem, 20), rtol=2e-4, atol=1e-5)


def test_linear_networks_follow_the_plain_loop(problem: Problem) -> None:
    inputs = problem["patches"].sum(axis=1).astype(np.float64)
    ((_, found),) = descend_linear(inputs, problem["labels"], problem["rates"], [15])
    for x, y, rate, weights in zip(inputs, problem["labels"], problem["rates"], found, strict=True):
        plain = np.zeros(40)
        for _ in range(15):
            plain += rate * np.mean((y / (1 + np.exp(y * (x @ plain))))[:, None] * x, axis=0)
        np.testing.assert_allclose(weights, plain, rtol=1e-9)


@pytest.mark.parametrize(("rows", "dimension"), [(3, 50), (6, 4)])
def test_inner_products_have_the_law_of_the_full_space(
    generator: np.random.Generator, rows: int, dimension: int
) -> None:
    """Means and variances of Wishart's distribution, within five standard errors of 4,000 draws."""
    draws = np.stack([gaussian_rows(generator, rows, dimension) for _ in range(4000)]).astype(np.float64)
    assert draws.shape[-1] == min(rows, dimension)
    products = draws @ draws.transpose(0, 2, 1)
    mean = dimension * np.eye(rows)
    variance = dimension * (1 + np.eye(rows))
    error = np.sqrt(variance / 4000)
    assert np.all(np.abs(products.mean(axis=0) - mean) < 5 * error)
    assert np.all(np.abs(products.var(axis=0) / variance - 1) < 0.25)


def test_rotation_keeps_inner_products_and_hence_outputs_on_unmet_noise(generator: np.random.Generator) -> None:
    filters = generator.standard_normal((2, 30, 6))
    short = rotated(filters)
    assert short.shape == (2, 6, 6)
    np.testing.assert_allclose(short.transpose(0, 2, 1) @ short, filters.transpose(0, 2, 1) @ filters, atol=1e-10)


def test_any_linear_network_errs_on_half_of_the_hard_examples(generator: np.random.Generator) -> None:
    """Proposition 2.1 of Oh et al.: the sign of the hard signal is random."""
    point = Point("abundant", 10, 30, 8.0, HALF)
    kinds = np.full(20_000, HARD)
    examples = {name: values[None] for name, values in points.drawn(generator, kinds).items()}
    patches = points.unmet([(point, 0)], examples, "test", 4)
    weights = generator.standard_normal((1, 4 + 1 + 4)).astype(np.float32)
    wrong = np.sign(evaluate.linear(patches, weights)) != examples["label"]
    assert abs(wrong.mean() - 0.5) < 4 * np.sqrt(0.25 / wrong.size)


@pytest.mark.parametrize(("both", "low", "high"), [(0.5, 0.0, 0.2), (0.0, 0.4, 0.6)])
def test_bridges_teach_the_hard_signal(generator: np.random.Generator, both: float, low: float, high: float) -> None:
    """600 examples with |nu| = 4 in 60 dimensions, hard-only labels by lot: with bridges a student learns nu."""
    point = Point("abundant", 600, 60, 4**4 / 60, Shares(easy=0.7 - both, hard=0.3, both=both))
    found = {}
    for part, count in (("student", 600), ("test", 3000)):
        kinds = generator.choice(3, count, p=point.chances) if part == "student" else np.full(count, HARD)
        examples = {name: values[None] for name, values in points.drawn(generator, kinds).items()}
        found[part] = examples, points.unmet([(point, 0)], examples, part, 50)
    examples, patches = found["student"]
    lot = generator.choice([-1, 1], 600)
    labels = np.where(examples["kind"] == HARD, lot, examples["label"])
    filters = 0.001 * generator.standard_normal((1, 55, 8)).astype(np.float32)
    ((_, trained, _),) = descend(patches, labels, filters, np.array([0.5 * point.rate(4)]), [12])
    examples, patches = found["test"]
    wrong = np.mean((outputs(patches, trained) > 0) != (examples["label"] > 0))
    assert low <= wrong <= high


def test_no_image_of_a_digit_is_in_two_parts() -> None:
    parts = [digits.of_part(3, 0, part) for part in digits.PARTS]
    rows = np.concatenate(parts)
    assert len(set(rows.tolist())) == len(rows) == 183 and min(map(len, parts)) >= 45


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("data__map__shares", [{"easy": 0.2, "hard": 0.3, "both": 0.4}], ("shares", "sum to 0.9", "sum to 1")),
        ("data__abundant__shares", [{"easy": -0.2, "hard": 0.7, "both": 0.5}], ("shares[0].easy", "-0.2")),
        ("data__abundant__dimension", 4, ("data.abundant.dimension is 4", "8")),
        ("data__map__samples", [0], ("data.map.samples[0] is 0", "1")),
        ("data__map__most_signal", 1e-6, ("most_signal 1e-06 leaves no point", "least A")),
        ("data__digits__hard", [0, 7], ("[0, 6]", "[0, 7]", "distinct")),
        ("strong__looks", [], ("strong.looks", "at least 1")),
    ],
)
def test_bad_settings_are_one_line_that_names_the_key(
    write_params: Callable[..., None], key: str, value: Any, words: tuple[str, ...]
) -> None:
    write_params(**{f"feature_learning__{key}": value})
    with pytest.raises(InputError) as caught:
        experiments.load("feature_learning")
    text = str(caught.value)
    assert "studies/feature_learning.yaml" in text and "\n" not in text
    assert all(word in text for word in words), text


@pytest.fixture
def cells() -> pd.DataFrame:
    """A map on which hard-only error is 1 / (2 (1 + B / 3)): no noise, so that every fit must be exact."""
    rows = product((10, 40, 160), (1e4, 1e6), (0.125, 0.5, 2.0), (0.125, 0.5))
    table = pd.DataFrame(rows, columns=["n_train", "dimension", "strength", "both"])
    bridge = table["n_train"] * table["both"] ** 2 * table["strength"]
    hard = 0.5 / (1 + bridge / 3)
    return table.assign(
        bridge_ratio=bridge, student_hard_error=hard, student_error=hard, hard=0.3, gain=0.125 - hard, weak_error=0.125
    )


def test_powers_and_crossing_of_a_known_map_are_found(cells: pd.DataFrame) -> None:
    found = statistics.exponents(cells)
    assert found == pytest.approx({"signal": 4, "dimension": -1, "bridge": 2}, abs=0.02)
    assert statistics.explained_by_bridge(cells) == pytest.approx(1)
    assert statistics.explained_without_bridge(cells) < 0.95
    # Error is the teacher's 0.125 at B = 9, between levels of the grid a factor of two apart.
    assert 10 ** statistics.log_bridge_at_teacher(cells) == pytest.approx(9, rel=0.15)
    assert np.isnan(statistics.log_bridge_at_teacher(cells.assign(gain=1.0)))


def test_bounds_on_error_are_of_the_cells_they_speak_of(cells: pd.DataFrame) -> None:
    worst = cells[cells["bridge_ratio"] <= 1]["student_error"].min()
    assert statistics.harmful_violation(cells) == pytest.approx(0.036 - worst)


def test_moments_take_what_their_rules_say() -> None:
    """Two seeds and four looks; the yardstick of a seed is the look at which the other one errs least."""
    shares = np.array([[0.5, 0.80, 0.90, 0.905], [0.5, 0.9, 0.8, 0.7]])
    errors = np.array([[4, 3, 2, 1], [1, 2, 3, 4]], float)
    measured = {
        "validation_accuracy": shares,
        "validation_loss": np.array([[3.0, 1, 2, 2], [1, 2, 3, 4]]),
        "test.student_error": np.repeat(errors[..., None], 3, axis=2),
    }
    settings = type("Settings", (), {"data": type("Data", (), {"validation": 1000})})
    point = Point("abundant", 10, 30, 8.0, HALF)
    found = {moment: look for moment, look in evaluate.moments(measured, 0, point, settings) if moment != "look"}
    assert found == {"final": 3, "validated": 2, "least_loss": 1, "others": 0}
