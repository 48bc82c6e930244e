"""The figures of molecules with and without a snapshot of the study at the papers' size."""

import json
from typing import Any

import pandas as pd
import pytest
import toy_cells
from conftest import ROOT
from matplotlib import pyplot as plt

from pipeline.core.config import Intervals
from pipeline.summary import molecules

SETTINGS = Intervals(confidence=0.95, resamples=100, seed=0)


def numbers(**studies: Any) -> dict[str, Any]:
    tables = {"molecules": toy_cells.molecules(), **{f"published/{name}": cells for name, cells in studies.items()}}
    return molecules.molecules(tables, "esol", SETTINGS)


@pytest.fixture
def draw() -> Any:
    """The notebook's own function, without its last cell, which saves."""
    cells = json.loads((ROOT / "notebooks/charikar_molecules.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    namespace: dict[str, Any] = {}
    exec(compile("\n".join(code[1:-1]), "charikar_molecules.ipynb", "exec"), namespace)
    yield namespace["draw"]
    plt.close("all")


def test_without_a_snapshot_the_numbers_hold_nothing_of_it() -> None:
    assert "gpu_study" not in numbers()


def test_a_snapshot_is_drawn_beside_the_laptop(draw: Any) -> None:
    full = toy_cells.molecules().query("ladder == 'smiles' and regime == 'full'")
    both = pd.concat([full.assign(training="finetuned"), full.assign(training="frozen", gain=1e6)])
    alone, beside = numbers(), numbers(molecules_gpu=both)
    assert beside["protocols"] == alone["protocols"]
    shown = [point for rung in beside["gpu_study"][0]["ladders"][0]["rungs"] for point in rung["splits"]]
    assert max(point["gain"] for point in shown) < 1e5  # frozen teachers are not among them
    figures = [draw(found) for found in (alone, beside)]
    points = [len(figure.axes[0].collections) for figure in figures]
    assert points[1] == points[0] + len(shown) > points[0]
    legends = [[text.get_text() for text in figure.axes[0].get_legend().get_texts()] for figure in figures]
    assert "papers' size (GPU)" in legends[1] and "papers' size (GPU)" not in legends[0]
