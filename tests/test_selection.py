"""Selection rules against hand values and the properties that hold for any measures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.theory import selection

SAMPLE = selection.candidates(
    weak_error=[1.0, 0.8, 0.9, 0.5],
    student_error=[0.6, 0.3, 0.7, 0.45],
    misfit=[0.5, 0.1, 0.6, 0.1],
    size=[8, 16, 32, 96],
)
errors = arrays(np.float64, 5, elements=st.floats(0.0, 100.0))


@pytest.mark.parametrize(
    ("rule", "picked"),
    [
        ("smallest_difference", 2),  # 0.5, 0.7, 0.3, 0.4
        ("lowest_weak_error", 3),
        ("highest_misfit", 2),
        ("largest_model", 3),
        ("best_student", 1),
    ],
)
def test_rules_pick_what_their_names_say(rule: str, picked: int) -> None:
    assert selection.choose(rule, SAMPLE) == picked


def test_every_rule_says_which_labels_it_needs() -> None:
    needs = {name: rule.needs for name, rule in selection.RULES.items()}
    assert needs["smallest_difference"] == needs["lowest_weak_error"] == needs["best_student"] == selection.TRUE
    assert (needs["highest_misfit"], needs["largest_model"]) == (selection.WEAK, selection.NONE)


def test_of_equals_the_smallest_model_is_picked() -> None:
    equal = selection.candidates([1, 1, 1], [1, 1, 1], [0, 0, 0], [96, 8, 16])
    assert selection.choose("lowest_weak_error", equal) == 1


@given(errors, errors, errors)
def test_regret_is_never_negative_and_zero_for_the_best(
    weak: np.ndarray, student: np.ndarray, misfit: np.ndarray
) -> None:
    sample = selection.candidates(weak, student, misfit, np.arange(5))
    for rule in selection.RULES:
        assert selection.regret(student, selection.choose(rule, sample)) >= 0
    assert selection.regret(student, selection.choose("best_student", sample)) == 0
    assert selection.expected_regret_at_random(student) >= -1e-9


@given(errors, errors, st.integers(0, 4))
def test_where_gain_equals_misfit_the_rule_of_the_paper_picks_the_best_student(
    student: np.ndarray, misfit: np.ndarray, seed: int
) -> None:
    sample = selection.candidates(student + misfit, student, misfit, np.random.default_rng(seed).permutation(5))
    assert selection.regret(student, selection.choose("smallest_difference", sample)) <= 1e-9


@pytest.mark.parametrize("weak_error", [[1.0, 2.0], [1.0, 2.0, np.nan], [[1.0, 2.0, 3.0]], []])
def test_measures_of_different_candidates_are_refused(weak_error: list[float]) -> None:
    with pytest.raises(ValueError, match="candidate"):
        selection.candidates(weak_error, [1, 2, 3], [1, 2, 3], [1, 2, 3])
