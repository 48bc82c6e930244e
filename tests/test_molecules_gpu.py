"""The molecules at the papers' size, shrunk until the processor runs all verbs in seconds."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Tiny

from pipeline.core import cells, experiments, stage
from pipeline.core.artifacts import Bundle
from pipeline.core.errors import InputError
from pipeline.core.experiments import VERBS
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules import data
from pipeline.experiments.molecules.common import pretrained, rungs
from pipeline.experiments.molecules_gpu import represent, weak
from pipeline.models.molecules import transformer
from pipeline.scale.training import OutOfTime


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all verbs of the study have run; pretraining in several processes' worth of time budgets."""
    folder = tmp_path_factory.mktemp("gpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("W2S_WORKERS", "1")
        patch.setenv("W2S_DEVICE", "cpu")
        Tiny().write(folder)
        (folder / "data").symlink_to(ROOT / "data")
        stage.run("data", "molecules_gpu")
        patch.setenv("W2S_TIME_BUDGET", "0")
        for _ in range(3):
            with pytest.raises(OutOfTime):
                stage.run("represent", "molecules_gpu")
        patch.delenv("W2S_TIME_BUDGET")
        for verb in VERBS[1:]:
            stage.run(verb, "molecules_gpu")
    return folder


def test_the_grid_is_complete(folder: Path) -> None:
    table = cells.read(folder / "artifacts/results/molecules_gpu/cells.csv")
    assert set(table["experiment"]) == {"molecules_gpu"} and set(table["seed"]) == {0, 1}
    full = table[table["regime"] == "full"]
    counts = full.groupby("training").size().to_dict()
    assert counts == {"frozen": 2 * 2 * 2, "finetuned": 1 * 2 * 2}  # sizes, seeds, heads
    assert set(full["strong"]) == {"smilesbert-3x24"}
    np.testing.assert_allclose(table["misfit"] - table["gain"], 2 * table["cross_term"], atol=1e-7)
    summary = json.loads((folder / "artifacts/results/molecules_gpu/metrics.json").read_text())
    assert set(summary["freesolv"]["chembench"]) == {"frozen", "finetuned"}


def test_a_run_that_was_out_of_time_ends_with_the_same_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    bundle = Bundle(folder / "artifacts/data/molecules_gpu")
    chosen = experiments.load("molecules_gpu").settings.represent.strong
    kept = represent.places(Pool("test", tmp_path), "strong")
    whole = represent.pretrain_strong(chosen, bundle, (kept[0], tmp_path / "record.json"))
    made = Bundle(folder / "artifacts/represent/molecules_gpu")
    assert np.array_equal(whole["losses"], made["losses-strong"]["losses"])
    for name, array in made["weights-strong"].items():
        assert np.array_equal(array, whole[f"weights.{name}"]), name
    assert made["weights-strong"]["shape"].tolist()[:4] == [24, 3, 2, 96]


def test_rungs_are_stored_as_teachers_read_them(folder: Path) -> None:
    made, texts = (Bundle(folder / "artifacts" / verb / "molecules_gpu") for verb in ("represent", "data"))
    for seed in (0, 1):
        model = pretrained.model(made[f"weights-smiles-16-seed-{seed}"])
        features = transformer.represent(model, pretrained.sequences(texts["freesolv"]))
        np.testing.assert_allclose(features, made[f"smiles-16-seed-{seed}"]["freesolv"], rtol=1e-3, atol=1e-4)
    assert rungs.listed(made["rungs"])[-1].item == "strong"


def test_throughput_of_every_training_lies_apart_from_results(folder: Path) -> None:
    names = {path.stem for path in (folder / "artifacts/runtime/throughput/molecules_gpu").glob("*.json")}
    assert "smiles-16-seed-1" in names and "strong" in names
    assert {path.name for path in (folder / "artifacts/results/molecules_gpu").iterdir()} == {
        "cells.csv",
        "metrics.json",
    }


def test_downstream_molecules_are_not_in_the_corpus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    settings = experiments.load("molecules_gpu").settings.data.corpus
    _, everything = data.corpus(settings.model_copy(update={"molecules": 48000}), [])
    _, without = data.corpus(settings.model_copy(update={"molecules": 47998}), everything[7:9])
    assert set(everything) - set(without) == set(everything[7:9])
    with pytest.raises(InputError, match="molecules is 48000, but .* holds 47998 that are in no downstream set"):
        data.corpus(settings.model_copy(update={"molecules": 48000}), everything[7:9])


def test_divergence_names_the_model_and_what_to_lower(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    bundles = [Bundle(folder / "artifacts" / verb / "molecules_gpu") for verb in ("data", "represent")]
    settings = experiments.load("molecules_gpu").settings
    wild = settings.represent.pretraining.model_copy(update={"learning_rate": 1e30})
    rung = rungs.listed(bundles[1]["rungs"])[0]
    named = experiments.load("molecules_gpu").named
    with pytest.raises(InputError, match=r"molecules_gpu, smiles-8-seed-0: .* lower represent.pretraining"), named():
        represent.pretrain_rung(rung, 2, 2, wild, bundles[0], (tmp_path, tmp_path / "record.json"))
    tuned = settings.weak.finetuned.model_copy(update={"learning_rate": 1e30})
    teachers = weak.teachers_of([rung], bundles[0]["freesolv-122"], settings.weak)
    finetuned = next(teacher for teacher in teachers if teacher.training == "finetuned")
    with pytest.raises(InputError, match=r"learning_rate under weak in studies/molecules_gpu.yaml"), named():
        weak.fit("freesolv", "122", finetuned, *bundles, settings.weak.model_copy(update={"finetuned": tuned}))


def test_nothing_starts_on_a_processor_by_mistake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("W2S_DEVICE", raising=False)
    for verb in ("data", "represent"):
        with pytest.raises(InputError, match="molecules_gpu is meant for a GPU; set W2S_DEVICE=cuda"):
            stage.run(verb, "molecules_gpu")
