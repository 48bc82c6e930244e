"""The study with finetuned teachers at tiny size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.core import cells, experiments
from pipeline.core.artifacts import Bundle
from pipeline.core.errors import InputError
from pipeline.experiments import molecules_study as study
from pipeline.experiments.molecules.common import rungs


@pytest.fixture
def folder(ran: Callable[..., Path]) -> Path:
    return ran("molecules_study")


def test_every_teacher_is_finetuned_and_seeds_do_not_mix(folder: Path) -> None:
    table = cells.read(folder / "artifacts/results/molecules_study/cells.csv")
    assert set(table["experiment"]) == {"molecules_study"} and set(table["training"]) == {"finetuned"}
    full, few = (table[table["regime"] == regime] for regime in ("full", "few"))
    teachers = 2 * 2  # sizes and seeds
    assert full.groupby(["panel", "inputs"]).size().to_dict() == {
        ("chembench", "half"): 2 * teachers,  # both heads
        ("chembench", "same"): 2 * teachers,
        ("random", "half"): teachers,
        ("random", "same"): teachers,
    }
    assert len(few) == 2 * teachers  # a split of each panel; the other size learns
    assert set(table["seed"]) == {0, 1}
    weak_errors = full.groupby(["split", "inputs", "weak"])["weak_error"].nunique()
    assert (weak_errors == 2).all()
    np.testing.assert_allclose(table["misfit"] - table["gain"], 2 * table["cross_term"], atol=1e-7)


def test_a_seed_changes_pretraining_and_finetuning(folder: Path) -> None:
    made = Bundle(folder / "artifacts/represent/molecules_study")
    first, second = (made[f"smiles-8-seed-{seed}"]["freesolv"] for seed in (0, 1))
    assert np.abs(first - second).max() > 1e-3


def test_diverging_finetuning_names_the_teacher(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    bundles = [Bundle(folder / "artifacts" / verb / "molecules_study") for verb in ("data", "represent")]
    settings = experiments.load("molecules_study").settings.weak
    wild = settings.model_copy(update={"learning_rate": 1e30})
    listed = rungs.listed(bundles[1]["rungs"])[:1]
    teacher = study.teachers_of(listed, bundles[0]["freesolv-122"], wild)[0]
    words = (
        r"molecules_study, freesolv, split 122, finetuned teacher smiles-8 \(513 labels\).* in studies/molecules_study"
    )
    with pytest.raises(InputError, match=words), experiments.load("molecules_study").named():
        study.fit("freesolv", "122", teacher, *bundles, wild)
