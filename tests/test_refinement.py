"""Refinement of weak labels in context: theory against Monte Carlo, and the learned parts at tiny sizes."""

import numpy as np
import pytest

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
