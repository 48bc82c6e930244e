"""The study of weak labels in plenty at tiny size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from pipeline.core import cells, config
from pipeline.core.artifacts import Bundle
from pipeline.core.errors import InputError
from pipeline.experiments.molecules.common.rungs import Rung
from pipeline.experiments.molecules_scaling import weak
from pipeline.experiments.molecules_scaling.common import students
from pipeline.experiments.molecules_scaling.settings import Strong, Weak
from pipeline.figures import FIGURES
from pipeline.summary import tables
from tests.conftest import ROOT, Tiny

NAME = "molecules_scaling"
SETTINGS = Tiny()[NAME]


@pytest.fixture
def folder(ran: Callable[..., Path]) -> Path:
    return ran(NAME)


@pytest.fixture
def table(folder: Path) -> pd.DataFrame:
    return cells.read(folder / f"artifacts/results/{NAME}/cells.csv")


@pytest.fixture
def bundles(folder: Path) -> dict[str, Bundle]:
    return {verb: Bundle(folder / "artifacts" / verb / NAME) for verb in ("weak", "labels", "strong")}


def test_teachers_and_population_share_no_molecule(bundles: dict[str, Bundle], folder: Path) -> None:
    truth = Bundle(folder / "artifacts/data/molecules")["freesolv"]["labels"]
    first, second = (bundles["weak"][f"freesolv-s{split}"] for split in (0, 1))
    for parts in (first, second):
        assert_array_equal(np.sort(np.concatenate([parts["teacher"], parts["population"]])), np.arange(len(truth)))
        assert set(parts["test"]) < set(parts["population"])
        assert len(parts["teacher"]) == 257 and len(parts["test"]) == 64
    assert set(first["teacher"]) != set(second["teacher"])


def test_students_see_the_teachers_labels_and_no_others(bundles: dict[str, Bundle]) -> None:
    for split in ("s0", "s1"):
        parts, given = (bundles[verb][f"esol-{split}"] for verb in ("weak", "labels"))
        assert_array_equal(np.sort(given["population"]), np.sort(parts["population"]))
        assert_array_equal(given["labels"], parts["predictions"][:, given["population"]])
        assert_array_equal(given["corpus"], parts["corpus"][:, given["order"]])


def test_controls_know_nothing(bundles: dict[str, Bundle]) -> None:
    teachers, parts = bundles["weak"]["teachers"], bundles["weak"]["lipop-s0"]
    assert list(teachers["weak"]) == ["smiles-8", "smiles-16", "random", "shuffled"]
    largest, random, shuffled = parts["predictions"][1:]
    assert_array_equal(np.sort(shuffled), np.sort(largest))
    assert abs(np.corrcoef(shuffled, largest)[0, 1]) < 0.1 and abs(np.corrcoef(random, largest)[0, 1]) < 0.5


def test_the_bound_is_a_theorem_where_sample_and_population_are_one(table: pd.DataFrame) -> None:
    end = table[(table["inputs"] == "own") & (table["sample"] == "whole")]
    assert len(end) == 3 * 2 * 4 and (end["n_train"] == end["n_eval"]).all()
    assert (end["gain"] >= end["bound"] - 1e-6 * end["weak_error"]).all()
    assert (end["epsilon"] <= end["student_error"] * (1 + 1e-6)).all()
    assert set(end["control"].dropna()) == {"random", "shuffled"}


def test_every_sample_is_there(table: pd.DataFrame) -> None:
    one = table.query("dataset == 'freesolv' and split == 's0' and weak == 'smiles-8'")
    found = set(zip(one["inputs"], one["n_train"], one["sample"], strict=True))
    assert found == {
        ("own", 20, "part"),
        ("own", 385, "whole"),
        ("corpus", 50, "part"),
        ("corpus", 200, "whole"),
        ("weighted", 200, "whole"),
    }
    weighted = one["inputs"] == "weighted"
    assert (one["effective"] == one["n_train"])[~weighted].all()
    assert (one["effective"] < one["n_train"])[weighted].all()


def test_distance_of_corpus_and_data_set(generator: np.random.Generator) -> None:
    block = {**SETTINGS["strong"], "inverse_penalty": 1.0, "clip": 1000.0}
    strong = config.validate(Strong, block, "strong", Path("studies"))
    corpus = generator.normal(size=(2000, 4))
    alike = students.distance(corpus, generator.normal(size=(1000, 4)), strong, seed=0)
    apart = students.distance(corpus, generator.normal(size=(1000, 4)) + [1.5, 0, 0, 0], strong, seed=0)
    assert 0.45 < alike["auc"][0] < 0.55 and apart["auc"][0] > 0.8
    assert students.effective(alike["weights"]) > 1900 > students.effective(apart["weights"])
    assert_allclose([alike["weights"].mean(), apart["weights"].mean()], 1)
    weighted = apart["weights"] @ corpus / len(corpus)
    assert_allclose(weighted, [1.5, 0, 0, 0], atol=0.25)


def test_weights_are_cut_off(generator: np.random.Generator) -> None:
    strong = config.validate(Strong, {**SETTINGS["strong"], "clip": 2.0}, "strong", Path("studies"))
    made = students.distance(generator.normal(size=(500, 3)), generator.normal(size=(100, 3)) + 3, strong, seed=0)
    assert made["weights"].max() / made["weights"].min() > 2
    assert np.sum(made["weights"] == made["weights"].max()) > 1


def test_a_size_that_is_no_rung_is_named() -> None:
    settings = config.validate(Weak, {**SETTINGS["weak"], "hidden_sizes": [8, 24]}, "weak", Path("studies"))
    with pytest.raises(InputError, match=r"weak.hidden_sizes holds 24.*\[8\]"):
        weak.ladder(settings, [Rung("smiles", 8, 0, "smiles-8"), Rung("morgan", 24, 0, "morgan-24")])


def test_the_figure_says_where_sample_and_population_are_one(table: pd.DataFrame) -> None:
    figure = FIGURES["charikar_molecules_scaling"]
    numbers = figure.numbers(tables.parted(f"published/{NAME}", table), config.intervals(ROOT / "params.yaml"))
    assert [panel["dataset"] for panel in numbers["panels"]] == ["esol", "freesolv", "lipop"]
    for panel in numbers["panels"]:
        end = table.query("dataset == @panel['dataset'] and inputs == 'own' and sample == 'whole' and control.isna()")
        assert_allclose(panel["end"]["ratio"]["value"], end["gain"].sum() / end["misfit"].sum(), rtol=1e-5)
        assert set(panel["controls"]) == {"random", "shuffled"} and set(panel["curves"]) == {
            "own",
            "corpus",
            "weighted",
        }
        assert panel["end"]["ratio"]["value"] >= panel["end"]["bound"]
    drawn = figure.draw(numbers)
    assert len(drawn.axes) == 6 and "with all 385" in figure.words(numbers)
