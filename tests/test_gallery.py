"""Formulas of the gallery against short references, and sizes that cannot hold."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.experiments.gallery import expansion, masking, random_features, spiked, subspaces
from pipeline.experiments.gallery.settings import Settings
from pipeline.experiments.gallery.wishart import bartlett
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def sizes() -> Settings:
    return experiments.load("gallery", ROOT / "params.yaml").settings


def test_bartlett_draws_gram_matrices(generator: np.random.Generator) -> None:
    grams = np.array([root @ root.T for root in (bartlett(generator, 3, 7) for _ in range(4000))])
    np.testing.assert_allclose(grams.mean(axis=0), 7 * np.eye(3), atol=0.3)
    np.testing.assert_allclose(grams.var(axis=0), 7 * (1 + np.eye(3)), rtol=0.12)
    with pytest.raises(ValueError, match="2 features for 3 samples: their Gram matrix is singular"):
        bartlett(generator, 3, 2)


def test_the_interpolator_is_that_of_all_features(generator: np.random.Generator, sizes: Settings) -> None:
    """Against the min-norm solution with every feature drawn: first coefficient and norm of the rest, over draws."""
    ensemble, base, samples = sizes.data.spiked.weak, 6, 8
    dimension, count, eigenvalue = spiked.sizes_of(ensemble, base)
    scale = np.sqrt(np.where(np.arange(dimension) < count, eigenvalue, 1))
    short, whole = [], []
    for _ in range(1500):
        white = generator.normal(size=(samples, dimension))
        labels = np.sign(white[:, 0])
        solved = scale * np.linalg.lstsq(white * scale, labels, rcond=None)[0]
        whole.append([solved[0], np.linalg.norm(solved[count:])])
        fitted = spiked.interpolate(generator, white[:, :count], labels, ensemble, base)
        short.append([fitted[0], fitted[-1]])
    np.testing.assert_allclose(np.mean(short, axis=0), np.mean(whole, axis=0), rtol=0.03)


def test_the_variance_of_the_student_has_its_limits(sizes: Settings) -> None:
    chosen = sizes.data.subspaces
    teacher = chosen.noise**2 * chosen.weak / chosen.gold
    assert subspaces.variance(chosen, chosen.weak, 100) == pytest.approx(teacher)  # the same features
    assert subspaces.variance(chosen, 0, 10**9) < 1e-6 * teacher
    assert subspaces.exact(chosen, 10, 10**9) == pytest.approx(subspaces.variance(chosen, 10, 10**9), rel=0.03)


def test_degrees_of_the_sphere_add_up_to_the_kernel() -> None:
    cosines, dimension = np.linspace(-0.9, 0.9, 7), 8
    shares = random_features._shares(dimension)
    total = sum(s * p for s, p in zip(shares, random_features._legendre(cosines, dimension), strict=True))
    np.testing.assert_allclose(total, random_features._kernel(cosines) / dimension, atol=1e-6)
    np.testing.assert_allclose(shares[3::2], 0, atol=1e-12)  # odd degrees above 1


def test_a_teacher_of_all_linear_features_is_the_truth() -> None:
    """2 d ReLU features in pairs hold every linear function, here the first coordinate."""
    directions = np.concatenate([np.eye(5), -np.eye(5)])
    energies = random_features.relu(directions)
    assert energies[0] == pytest.approx(1, abs=1e-6) and energies[1:].max() < 1e-6


def test_the_rule_keeps_what_lowers_the_risk(sizes: Settings) -> None:
    chosen = sizes.data.masking.model_copy(update={"kept": tuple(range(1, 501))})
    truth = masking.draw(np.random.default_rng(0), chosen)["truth"]
    for samples in (200, 1000):
        assert masking.risks(truth, chosen, samples).argmin() + 1 == masking.best_kept(chosen, samples)


def test_expansion_by_hand() -> None:
    """Ten places: one of two right ones is marked and reaches one of two wrong ones."""
    marked = np.arange(10) == 1
    right, wrong = np.isin(np.arange(10), [1, 6]), np.isin(np.arange(10), [2, 8])
    assert expansion.expansion(marked, right, wrong, 1) == pytest.approx(0.5 / 0.5)
    assert expansion.expansion(marked, right, np.arange(10) == 8, 1) == 0
    assert expansion.expansion(np.zeros(10, bool), right, wrong, 1) == np.inf
    np.testing.assert_array_equal(np.flatnonzero(expansion.within(np.arange(10) == 0, 1)), [0, 1, 9])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"subspaces__overlaps": [3]}, "overlaps go up to strong 2"),
        ({"subspaces__labels": [2]}, "least squares needs labels above 3"),
        ({"masking__samples": [20, 30]}, "samples need one n < p and one n > p, p = dimension = 12"),
        ({"masking__kept": [3, 13]}, "kept ends with 13; let it rise to the dimension 12"),
        ({"posterior_mean__averaged": [4]}, "averaged goes up to 4 of 3 teachers; lower it"),
        ({"expansion__stretches": [7]}, "stretches holds 7; give divisors of places 120"),
        ({"spiked__exponents": [3.5]}, "base 8: an interpolator of n\\^u labels needs n\\^p above them"),
    ],
)
def test_sizes_that_cannot_hold_are_one_line(changes: dict, words: str, write_params: Callable[..., None]) -> None:
    write_params(**{f"gallery__data__{key}": value for key, value in changes.items()})
    with pytest.raises(InputError, match=f"^studies/gallery.yaml: data[^\n]*{words}[^\n]*$"):
        experiments.load("gallery")
