"""Arrays of one's own: every measure against an independent computation, every interval against simulated draws."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score, log_loss, matthews_corrcoef, mean_squared_error
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut, cross_val_predict

from gain_misfit import assess
from gain_misfit.assessment import WORDS

Array = np.ndarray


def squares(generator: np.random.Generator, rows: int = 60) -> tuple[Array, Array, Array, Array, Array]:
    """Truth, noisy teacher, its linear student, ceiling, features; the truth is not quite linear."""
    features = generator.normal(size=(rows, 3))
    truth = features.sum(axis=1) + np.sin(2 * features[:, 0])
    teacher = truth + generator.normal(size=rows)
    student, ceiling = (LinearRegression().fit(features, target).predict(features) for target in (teacher, truth))
    return truth, teacher, student, ceiling, features


def classes(generator: np.random.Generator, rows: int = 200, number: int = 3) -> tuple[Array, Array, Array, Array]:
    """Labels, and probabilities of a teacher, a better student and a calibrated ceiling."""
    logits = 2 * generator.normal(size=(rows, number))
    told = [np.exp(logits + by * generator.normal(size=logits.shape)) for by in (2, 1, 0)]
    teacher, student, ceiling = (values / values.sum(axis=1, keepdims=True) for values in told)
    labels = (ceiling.cumsum(axis=1) < generator.random((rows, 1))).sum(axis=1)
    return labels, teacher, student, ceiling


def test_squared_loss_against_formulas_and_scipy(generator: np.random.Generator) -> None:
    truth, teacher, student, ceiling, _ = squares(generator)
    found = assess(truth, teacher, student, ceiling)
    errors = [mean_squared_error(truth, model) for model in (teacher, student, ceiling)]
    assert [found[f"{role}_error"].value for role in ("teacher", "student", "ceiling")] == pytest.approx(errors)
    assert found["gain"].value == pytest.approx(errors[0] - errors[1])
    assert found["misfit"].value == pytest.approx(mean_squared_error(teacher, student))
    assert found["misfit"].value - found["gain"].value == pytest.approx(2 * found["cross_term"].value)
    assert found["gap_recovered"].value == pytest.approx((errors[0] - errors[1]) / (errors[0] - errors[2]))
    first, second = teacher - truth, student - truth
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert found["error_correlation"].value == pytest.approx(cosine)
    interval = stats.ttest_1samp(first**2 - second**2, 0).confidence_interval(0.95)
    assert found["gain"][1:3] == pytest.approx(tuple(interval))


def test_groups_of_one_size_give_the_interval_of_their_means(generator: np.random.Generator) -> None:
    truth, teacher, student, *_ = squares(generator)
    names = np.repeat([f"prompt {i}" for i in range(12)], 5)
    order = generator.permutation(60)
    saved = (teacher - truth) ** 2 - (student - truth) ** 2
    interval = stats.ttest_1samp(saved.reshape(12, 5).mean(axis=1), 0).confidence_interval(0.9)
    found = assess(truth[order], teacher[order], student[order], groups=names[order], confidence=0.9)
    assert found["gain"][1:3] == pytest.approx(tuple(interval)) and found["gain"].n == 12


@pytest.mark.parametrize("grouped", [False, True])
def test_epsilon_is_the_error_of_fits_that_leave_the_unit_out(grouped: bool, generator: np.random.Generator) -> None:
    truth, teacher, student, _, features = squares(generator)
    names = generator.integers(9, size=60) if grouped else None
    left_out = LeaveOneGroupOut() if grouped else LeaveOneOut()
    predicted = cross_val_predict(LinearRegression(), features, truth, groups=names, cv=left_out)
    found = assess(truth, teacher, student, features=features, groups=names)
    epsilon, misfit = mean_squared_error(truth, predicted), found["misfit"].value
    assert found["epsilon"].value == pytest.approx(epsilon)
    assert found["bound"].value == pytest.approx(misfit - 2 * np.sqrt(epsilon * misfit))
    assert found["rho"].value == pytest.approx(found["cross_term"].value / np.sqrt(epsilon * misfit))
    # This student is least squares on these rows: the projection itself, whose gain is above the bound.
    assert found["off_projection"].value == pytest.approx(0, abs=1e-20)
    assert found["gain_above_bound"].value == pytest.approx(found["gain"].value - found["bound"].value)
    assert found["gain_above_bound"].value > 0
    moved = assess(truth, teacher, student + features[:, 0] ** 2, features=features)
    assert moved["off_class"].value > 0.1 and moved["off_projection"].value > 0.1


def test_classes_against_sklearn_and_loops(generator: np.random.Generator) -> None:
    labels, teacher, student, ceiling = classes(generator)
    found = assess(labels, teacher, student, ceiling, bins=10)
    right = {}
    for role, model in (("teacher", teacher), ("student", student), ("ceiling", ceiling)):
        right[role] = model.argmax(axis=1) == labels
        assert found[f"{role}_error"].value == pytest.approx(log_loss(labels, model))
        assert found[f"{role}_accuracy"].value == pytest.approx(accuracy_score(labels, model.argmax(axis=1)))
        confidence, ece = model.max(axis=1), 0.0
        for low in np.arange(10) / 10:
            own = (confidence >= low) & (confidence < low + 0.1)
            ece += abs(np.sum(right[role][own]) - confidence[own].sum()) / len(labels)
        assert found[f"{role}_ece"].value == pytest.approx(ece)
        assert found[f"{role}_overconfidence"].value == pytest.approx(np.mean(confidence - right[role]))
    exact = stats.binomtest(int(right["student"].sum()), 200).proportion_ci(0.95)
    assert found["student_accuracy"][1:3] == pytest.approx((exact.low, exact.high))
    assert found["misfit"].value == pytest.approx(np.mean(stats.entropy(student, teacher, axis=1)))
    assert found["misfit"].value - found["gain"].value == pytest.approx(found["cross_term"].value)
    told, given = teacher.argmax(axis=1), student.argmax(axis=1)
    wrong = told != labels
    assert found["copied"].value == pytest.approx(np.mean(given[wrong] == told[wrong]))
    assert found["corrected"].value == pytest.approx(np.mean(given[wrong] == labels[wrong]))
    assert found["kept"].value == pytest.approx(np.mean(given[~wrong] == labels[~wrong]))
    assert found["error_correlation"].value == pytest.approx(matthews_corrcoef(wrong, ~right["student"]))
    scores = [np.mean(right[role]) for role in ("teacher", "student", "ceiling")]
    assert found["gap_recovered"].value == pytest.approx((scores[1] - scores[0]) / (scores[2] - scores[0]))
    change = abs(found["teacher_error"].value - found["student_error"].value)
    assert change <= found["risk_width"].value
    soft = assess(ceiling, teacher, student)
    assert soft["teacher_error"].value == pytest.approx(np.mean(stats.entropy(ceiling, teacher, axis=1)))
    assert "KL from the truth" in str(soft) and "cross-entropy" in str(found)


def test_a_gap_that_may_be_nothing_leaves_what_is_recovered_open(generator: np.random.Generator) -> None:
    labels, teacher, student, _ = classes(generator)
    found = assess(labels, teacher, student, teacher[::-1] * 0.01 + teacher * 0.99)
    assert found["gap_recovered"][1:3] == (-np.inf, np.inf)


def test_without_labels_no_labels_lead_out_of_the_range_and_some_to_its_ends(generator: np.random.Generator) -> None:
    truth, teacher, student, *_ = squares(generator)
    known, ends = mean_squared_error(truth, teacher), (-9.0, 9.0)
    open_, told = (assess(None, teacher, student, **how) for how in ({"label_range": ends}, {"teacher_error": known}))
    for labels in (truth, *(generator.uniform(*ends, size=60) for _ in range(50))):
        assert open_["least_gain"].value <= assess(labels, teacher, student)["gain"].value <= open_["most_gain"].value
    worst = np.where(student > teacher, *ends)
    assert open_["least_gain"].value == pytest.approx(assess(worst, teacher, student)["gain"].value)
    for away in (
        truth - teacher,
        student - teacher,
        teacher - student,
    ):  # of the teacher's error, the ends are along s - w
        labels = teacher + away * np.sqrt(known / np.mean(away**2))
        assert (
            told["least_gain"].value - 1e-9
            <= assess(labels, teacher, student)["gain"].value
            <= told["most_gain"].value + 1e-9
        )
    assert told["most_gain"].value == pytest.approx(
        assess(teacher + (student - teacher) * np.sqrt(known / open_["misfit"].value), teacher, student)["gain"].value
    )
    labels, teacher, student, _ = classes(generator)
    found = assess(None, teacher, student, teacher_error=0.3)
    best = np.log(student / teacher).argmax(axis=1)
    assert found["most_gain"].value == pytest.approx(assess(best, teacher, student)["gain"].value)
    assert found["least_gain"].value <= assess(labels, teacher, student)["gain"].value
    differs = np.mean(teacher.argmax(axis=1) != student.argmax(axis=1))
    assert found["disagreement"].value == pytest.approx(differs) and differs > 0.3
    assert (found["least_accuracy_gain"].value, found["most_accuracy_gain"].value) == pytest.approx((-differs, 0.3))


def test_few_labels_use_all_rows_where_none_is_needed(generator: np.random.Generator) -> None:
    labels, teacher, student, _ = classes(generator)
    mask = np.arange(200) % 9 == 0
    few, all_ = assess(labels[mask], teacher, student, labelled=mask), assess(labels, teacher, student)
    assert few["misfit"] == all_["misfit"] and few["disagreement"] == all_["disagreement"]
    assert few["gain"] == assess(labels[mask], teacher[mask], student[mask])["gain"]
    assert few == assess(labels[mask], teacher, student, labelled=np.flatnonzero(mask))
    assert "least_gain" in few.measures and "least_gain" not in all_.measures


def test_as_many_labels_as_are_said_decide_the_sign_in_four_of_five_draws(generator: np.random.Generator) -> None:
    """Where the few labels show the true effect and spread, as in this pattern of five rows."""
    teacher, student, truth = np.zeros(10), np.ones(10), np.tile([0.0, 0.2, 0.5, 1.0, 1.5], 2)
    few = assess(truth, teacher, student)
    assert few["gain"].low < 0 < few["gain"].value
    needed = few.labels_needed["gain"]
    assert needed is not None and f"about {needed}" in str(few)
    saved = 2 * truth - 1
    draws = saved.mean() + saved.std(ddof=1) * generator.normal(size=(2000, needed))
    assert np.mean(stats.ttest_1samp(draws, 0, axis=1).confidence_interval().low > 0) == pytest.approx(0.8, abs=0.06)


def test_labels_for_accuracy_are_those_of_a_sign_test_where_both_differ(generator: np.random.Generator) -> None:
    right = np.repeat([[0, 1], [1, 0], [1, 1]], [9, 3, 48], axis=0)  # of teacher and student: won, lost, the same
    told = [np.where(column[:, None] == 1, [0.2, 0.8], [0.8, 0.2]) for column in right.T]
    needed = assess(np.ones(60), *told, bins=60).labels_needed
    where = needed["accuracy_gain_where_they_differ"]
    assert where is not None and needed["accuracy_gain"] == 5 * where
    hits = generator.binomial(where, 0.75, size=2000)
    decided = [stats.binomtest(int(hit), where).proportion_ci(0.95).low > 0.5 for hit in hits]
    assert np.mean(decided) == pytest.approx(0.8, abs=0.06)


def covered(found: Any, name: str, value: float) -> bool:
    return bool(found[name].low <= value <= found[name].high)


def test_intervals_over_groups_cover_what_is_true_and_those_over_rows_do_not(generator: np.random.Generator) -> None:
    """Rows of a group share their difficulty; 25 groups of 1 to 6 rows, mean squares as skewed as chi-squares."""
    true = {"gain": 0.5, "teacher_error": 1.0, "error_correlation": 0.5, "gain_over_misfit": 0.5 / (1.5 - np.sqrt(0.5))}
    group = np.repeat(np.arange(25), 1 + np.arange(25) % 6)
    hits: dict[str, list[bool]] = {}
    for _ in range(200):
        easy, noise = generator.normal(size=25)[group], generator.normal(size=(2, len(group)))
        three = np.zeros(len(group)), (easy + noise[0]) / np.sqrt(2), (easy + noise[1]) / 2
        right = easy + generator.normal(size=len(group)) > 0
        told = np.where(right[:, None], [0.2, 0.8], [0.8, 0.2])
        found = assess(*three, groups=group)
        share = assess(np.ones(len(group)), told, told, groups=group)
        for name, value in true.items():
            hits.setdefault(name, []).append(covered(found, name, value))
        hits.setdefault("accuracy", []).append(covered(share, "teacher_accuracy", 0.5))
        hits.setdefault("rows", []).append(covered(assess(*three), "teacher_error", 1.0))
    shares = {name: float(np.mean(inside)) for name, inside in hits.items()}
    assert shares.pop("rows") < shares["teacher_error"] - 0.05, shares
    assert all(0.87 <= share <= 0.99 for share in shares.values()), shares


def test_rows_of_a_single_group_count_as_one() -> None:
    """The teacher is wrong on four rows, all of one group, of which the student repeats two."""
    group, wrong = np.repeat(np.arange(12), 5), np.arange(60) < 4
    told = [np.where((wrong & (np.arange(60) < most))[:, None], [0.8, 0.2], [0.2, 0.8]) for most in (4, 2)]
    found = assess(np.ones(60), *told, groups=group, bins=60)
    assert found["copied"].value == found["corrected"].value == 0.5
    ends = tuple(stats.beta.ppf([0.025, 0.975], [0.5, 1.5], [1.5, 0.5]))  # half a hit in one trial
    assert found["copied"][1:3] == found["corrected"][1:3] == pytest.approx(ends)


def test_the_gain_in_accuracy_is_covered_where_few_rows_are_won_or_lost(generator: np.random.Generator) -> None:
    inside, widths = [], []
    for _ in range(200):
        kind = generator.choice(3, p=[0.05, 0.03, 0.92], size=20)  # won, lost, the same
        told = [np.where((kind == lost)[:, None], [0.8, 0.2], [0.2, 0.8]) for lost in (0, 1)]
        found = assess(np.ones(20), *told, bins=20)
        inside.append(covered(found, "accuracy_gain", 0.02))
        widths.append(found["accuracy_gain"].high - found["accuracy_gain"].low)
    assert np.mean(inside) >= 0.93 and min(widths) > 0.2


def test_of_few_labels_those_where_both_differ_tell_of_accuracy(generator: np.random.Generator) -> None:
    """600 rows, 40 labels, a tenth on which both differ: coverage, at less width than from the labelled rows alone."""
    inside, widths = [], []
    for _ in range(120):
        differs, wins = generator.random(600) < 0.1, generator.random(600) < 0.8
        told = [np.where((differs & (wins == won))[:, None], [0.8, 0.2], [0.2, 0.8]) for won in (True, False)]
        rows = np.arange(40)
        found = assess(np.ones(40), *told, labelled=rows, bins=50)["accuracy_gain"]
        alone = assess(np.ones(40), *(model[:40] for model in told), bins=50)["accuracy_gain"]
        inside.append(found.low <= 0.06 <= found.high)
        widths.append((found.high - found.low) / (alone.high - alone.low))
    assert np.mean(inside) >= 0.93 and np.median(widths) < 0.9


@pytest.mark.parametrize("rate", [0.7, 0.55])
def test_the_interval_of_the_calibration_error_covers_it(rate: float, generator: np.random.Generator) -> None:
    """Confidence 0.7 everywhere, right at another rate: the binned error is their difference, 0 where calibrated."""
    told, inside = np.tile([0.3, 0.7], (150, 1)), []
    for _ in range(150):
        found = assess(generator.random(150) < rate, told, told)
        inside.append(covered(found, "teacher_ece", 0.7 - rate))
    assert np.mean(inside) >= 0.93


T, P = np.arange(8.0), np.tile([0.25, 0.75], (8, 1))
BAD: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "other rows": ((T, T, T[1:]), {}, r"student has shape \(7,\) and teacher \(8,\)"),
    "short truth": ((T[1:], T, T), {}, r"truth has shape \(7,\); give one label for each of 8 rows"),
    "a column": ((T, T[:, None], T[:, None]), {}, r"teacher has shape \(8, 1\); give \(n,\) in regression"),
    "nan": ((T, T, np.where(T == 3, np.nan, T)), {}, r"student\[3\] is nan; leave such rows out"),
    "infinite truth": ((np.where(T == 2, np.inf, T), T, T), {}, r"truth\[2\] is inf"),
    "text": ((["a"] * 8, T, T), {}, "truth holds .* where numbers belong"),
    "ragged": ((T, [[1, 2], [3]], T), {}, "teacher is no array of numbers"),
    "off the simplex": ((T % 2, P + 0.1, P), {}, r"teacher\[0\] = \(0.35, 0.85\) does not sum to 1; give rows of prob"),
    "logits": ((T % 2, P, P * 0 + [-1, 2]), {}, r"student\[0\] = \(-1, 2\) holds a negative probability"),
    "no class": ((T, P, P), {}, r"truth\[2\] is 2; labels of 2 classes are 0 to 1"),
    "half a class": ((T / 2, P, P), {}, r"truth\[1\] is 0.5"),
    "more classes": ((np.eye(3)[[0] * 8], P, P), {}, "truth has 3 classes and teacher 2"),
    "certain": ((T % 2, np.eye(2)[[0] * 8], P), {}, r"teacher\[0\] gives class 1 the probability 0.*floor=0.001"),
    "great floor": ((T % 2, P, P), {"floor": 0.6}, "gamma is 0.6; a floor for 2 classes"),
    "floor of numbers": ((T, T, T), {"floor": 0.1}, "a floor is for probabilities"),
    "few rows": ((T[:3], T[:3], T[:3]), {}, "3 rows; an interval needs at least 5"),
    "few groups": ((T, T, T), {"groups": T // 4}, "2 groups of rows; an interval needs at least 5"),
    "short groups": ((T, T, T), {"groups": "abc"}, "groups has shape"),
    "group nan": ((T, T, T), {"groups": np.where(T == 1, np.nan, T)}, r"groups\[1\] is nan"),
    "row twice": ((T[:2], T, T), {"labelled": [1, 1]}, "labelled names row 1 2 times"),
    "row outside": ((T[:2], T, T), {"labelled": [1, 8]}, r"labelled\[1\] is 8; rows are 0 to 7"),
    "labelled by name": ((T[:2], T, T), {"labelled": [0.0, 1.0]}, "labelled has shape .* of float64; give row numbers"),
    "labelled, no truth": ((None, T, T), {"labelled": [1]}, "labelled names rows, but truth is None"),
    "wide features": ((T, T, T), {"features": np.eye(8)}, "8 columns for 8 rows with labels; .* at least 18"),
    "features, no truth": ((None, T, T), {"features": np.eye(8)[:, :1]}, "features are given, but no truth"),
    "features of classes": ((T % 2, P, P), {"features": np.eye(8)[:, :1]}, "features are for squared loss"),
    "a row's own column": ((T, T, T), {"features": np.eye(8)[:, :1]}, "row 0 alone settles a direction"),
    "confidence": ((T, T, T), {"confidence": 95}, "confidence is 95; give a number between 0 and 1"),
    "bins": ((T % 2, P, P), {"bins": 0}, "bins is 0; give a number of at least 1"),
    "error rate": ((None, P, P), {"teacher_error": 30}, "teacher_error is 30; give a number between 0 and 1"),
    "range": ((None, T, T), {"label_range": (1, 0)}, "label_range is .* least and the largest label"),
    "range of classes": ((None, P, P), {"label_range": (0, 1)}, "label_range is for regression"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line_that_names_it(case: str) -> None:
    arguments, further, words = BAD[case]
    with pytest.raises(ValueError, match=words) as caught:
        assess(*arguments, **further)
    assert "\n" not in str(caught.value)


def test_an_installation_needs_numpy_and_scipy_alone(tmp_path: Path, generator: np.random.Generator) -> None:
    source, target = tmp_path / "source", tmp_path / "installed"
    for name in ("gain_misfit", "pipeline/theory"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", target, source], check=True)
    truth, teacher, student, *_ = squares(generator)
    np.save(tmp_path / "arrays.npy", [truth, teacher, student])
    program = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import numpy; from gain_misfit import assess, theory\n"
        "print(assess(*numpy.load('arrays.npy')))\n"
        "packages = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not packages & {'pipeline', 'pandas', 'sklearn', 'pydantic', 'torch'}, packages\n"
        f"assert theory.__path__ == [{str(target / 'gain_misfit/theory')!r}]"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(assess(truth, teacher, student))


def test_the_page_names_every_measure_and_argument_and_its_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/API.md").read_text()
    assert set(re.findall(r"^\| `(\w+)`", page, re.M)) == set(WORDS) | set(assess.__kwdefaults__)
    space: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(compile(example, "docs/API.md", "exec"), space)
    shown = re.findall(r"```text\n(.*?)```", page, re.S)
    printed = capsys.readouterr().out
    assert len(shown) == 3 and all(block.strip() in printed for block in shown)


def test_the_notebook_shows_gain_by_number_of_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    cells = json.loads((ROOT / "notebooks/own_arrays.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    space: dict[str, Any] = {}
    exec(compile(code, "notebooks/own_arrays.ipynb", "exec"), space)
    found = [space["by_labels"][number]["accuracy_gain"] for number in space["numbers"]]
    assert found[-1].low > 0 and [estimate.n for estimate in found] == list(space["numbers"])
