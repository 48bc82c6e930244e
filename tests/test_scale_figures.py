"""The figures of molecules with and without a snapshot of the study at the papers' size."""

from typing import Any

import pandas as pd
import toy_cells
from matplotlib import pyplot as plt

from pipeline.core.config import Intervals
from pipeline.figures import charikar_molecules
from pipeline.summary import tables

SETTINGS = Intervals(confidence=0.95, resamples=100, seed=0)


def numbers(**studies: Any) -> dict[str, Any]:
    own = tables.parted("molecules", toy_cells.molecules())
    published = {f"published/{name}": cells for name, cells in studies.items()}
    return charikar_molecules.numbers("esol", own | published, SETTINGS)


def test_without_a_snapshot_the_numbers_hold_nothing_of_it() -> None:
    assert "gpu_study" not in numbers()


def test_a_snapshot_is_drawn_beside_the_laptop() -> None:
    full = toy_cells.molecules().query("ladder == 'smiles' and regime == 'full' and panel == 'chembench'")
    both = pd.concat([full.assign(training="finetuned"), full.assign(training="frozen", gain=1e6)])
    alone, beside = numbers(), numbers(molecules_gpu=both)
    assert beside["protocols"] == alone["protocols"]
    recalled = [group["head"] == "adamw" and group["inputs"] == "same" for group in beside["gpu_study"]].index(True)
    shown = [point for rung in beside["gpu_study"][recalled]["ladders"][0]["rungs"] for point in rung["splits"]]
    assert max(point["gain"] for point in shown) < 1e5  # frozen teachers are not among them
    pictures = [charikar_molecules.draw(found) for found in (alone, beside)]
    points = [len(picture.axes[2].lines) for picture in pictures]  # the panel of the recalled protocol
    assert points[1] == points[0] + len(shown) > points[0]
    legends = [[text.get_text() for text in picture.legends[0].get_texts()] for picture in pictures]
    assert "papers' size (GPU)" in legends[1] and "papers' size (GPU)" not in legends[0]
    plt.close("all")
