"""The summary, publishing, and the generated block of the README."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline import publish, readme, reference, reproduce
from pipeline.core import artifacts, experiments
from pipeline.core.cells import COLUMNS
from pipeline.core.errors import InputError
from tests.clones import commit, git


def some_cells(gain: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({column: [1.0, 2.0] for column in COLUMNS}).assign(gain=[gain, 3.0])


def test_largest_difference_is_relative_to_the_column() -> None:
    assert reproduce.largest_difference(some_cells(), some_cells()) == 0
    scale = ((1.0 + 9.0) / 2) ** 0.5
    assert reproduce.largest_difference(some_cells(), some_cells(1.5)) == pytest.approx(0.5 / scale)


def test_summary_says_what_came_out(write_params: Callable[..., None]) -> None:
    judged = [("claim", "holds"), ("claim", "fails"), ("claim", "holds"), ("check", "holds")]
    artifacts.write_json(Path("report/claims.json"), [{"kind": kind, "verdict": verdict} for kind, verdict in judged])
    artifacts.write_cells(Path("results/toy/cells.csv"), some_cells(1.5))
    artifacts.write_bytes(Path("paper_figures/a.png"), b"")
    shown = reproduce.summary({"toy": some_cells()}, 61.4)
    assert (
        "1 in paper_figures" in shown
        and "papers: 2 holds, 1 fails" in shown
        and "bounds: 1 holds" in shown
        and "report/index.html" in shown
    )
    assert "toy: largest relative difference from the committed cells 0.22" in shown and "61 s" in shown
    assert "other settings" in reproduce.summary({"toy": some_cells().iloc[:1]}, 1)
    assert "no committed cells" in reproduce.summary({}, 1)


def test_an_archive_keeps_what_came_with_it(write_params: Callable[..., None]) -> None:
    path = Path("results/toy/cells.csv")
    artifacts.write_cells(path, some_cells())
    assert reproduce._committed(path) is None
    reference.keep()
    first = reproduce._committed(path)
    artifacts.write_cells(path, some_cells(2.0))
    reference.keep()
    pd.testing.assert_frame_equal(reproduce._committed(path), first)


def test_a_clone_compares_with_its_last_commit(write_params: Callable[..., None]) -> None:
    path = Path("results/toy/cells.csv")
    artifacts.write_cells(path, some_cells())
    git(Path.cwd(), "init", "-q")
    commit(Path.cwd(), "cells")
    artifacts.write_cells(path, some_cells(2.0))
    assert reproduce._committed(path)["gain"][0] == 1.0
    assert reproduce._committed(Path("results/new/cells.csv")) is None


def test_a_study_is_published_with_its_manifest(write_params: Callable[..., None]) -> None:
    artifacts.write_cells(Path("artifacts/results/realizability/cells.csv"), some_cells())
    artifacts.write_json(Path("artifacts/results/realizability/metrics.json"), {})
    artifacts.write("data", "realizability", {"plain": [1]})
    artifacts.write_json(Path("artifacts/runtime/data-realizability.json"), {"seconds": 2.5, "workers": 1})
    folder = publish.publish("realizability")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seconds"] == {"data": 2.5} and len(manifest["data_sha256"]) == 64
    assert manifest["params"] == experiments.load("realizability").settings.model_dump(mode="json")
    assert not publish.stale("realizability")
    write_params(realizability__weak__epochs=21)
    assert publish.stale("realizability")


def test_incomplete_cells_are_not_published(write_params: Callable[..., None]) -> None:
    artifacts.write_cells(Path("artifacts/results/realizability/cells.csv"), some_cells().drop(columns="misfit"))
    with pytest.raises(InputError, match="lacks the column misfit"):
        publish.publish("realizability")
    assert not Path("published").exists()


def test_a_readme_without_marks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("nothing")
    with pytest.raises(InputError, match="lost the marks"):
        readme.current(path)
