"""From a table to a study: what `python -m pipeline.new` writes runs, is measured, drawn; faults leave nothing."""

import gzip
import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline import new, publish, study
from pipeline.core import artifacts, cells, config, experiments, stage
from pipeline.core.errors import InputError
from pipeline.experiments.regression import data as regression_data
from pipeline.figures import drawing, own_data
from pipeline.models.molecules import minimol, morgan
from pipeline.summary import pairs, sources, statements, tables
from pipeline.summary.verdicts import judge
from tests.conftest import ROOT
from tests.tiny_language import REVISION, pair, save_model


@pytest.fixture
def make(tmp_path: Path, write_params: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Runs the command line in a folder with the settings of the repository; its figures lie there, too."""
    monkeypatch.setenv("W2S_WORKERS", "1")
    monkeypatch.setattr(new, "FIGURES", tmp_path / "figures")
    Path("claims").mkdir()
    shutil.copy(ROOT / "sources.yaml", tmp_path)

    def run(line: str) -> str:
        monkeypatch.setattr("sys.argv", ["pipeline.new", *line.split("|")])
        chosen = new._arguments()
        return new.create(chosen.kind, chosen.name, new._tables(chosen), new._columns(chosen), chosen)

    return run


def molecules(path: str, rows: int = 180) -> None:
    """Of ESOL, under other names; one twice, in a spreadsheet's CSV."""
    table = pd.read_csv(ROOT / "data/moleculenet/delaney-processed.csv").iloc[::6].head(rows)
    table = pd.DataFrame({"mol": table["smiles"], "logS": table.iloc[:, 8], "lab": np.arange(len(table)) % 40})
    pd.concat([table, table.head(1)]).to_csv(path, index=False)


def sentences(path: str) -> None:
    rows = [f'{i}\tfilm {i} was {("bad", "fine")[i % 2]} and "long\t{("neg", "pos")[i % 2]}' for i in range(150)]
    Path(path).write_bytes(gzip.compress("\n".join(["id\tsentence\tmood", *rows]).encode()))


def tiny_models(name: str, tmp_path: Path) -> None:
    """The ladder of a written study on a network of a few thousand parameters."""
    path = Path(f"studies/{name}.yaml")
    block = YAML(typ="safe").load(path)
    model = str(save_model(tmp_path / "model"))
    block["represent"]["models"] = {"tiny": {"name": model, "revision": REVISION, "licence": "MIT"}}
    views = block["represent"]["ladder"].values()
    for place, view in enumerate(view for view in views if "model" in view):
        view.update(model="tiny", layer=min(place, 2), pooling="mean")
    fit = {**block["weak"]["fit"], "epochs": 3}
    block["weak"].update(fit=fit, seeds=[0, 1, 2])
    block["strong"]["fit"] = fit
    YAML().dump(block, path)


def run(name: str) -> pd.DataFrame:
    for verb in experiments.VERBS:
        stage.run(verb, name)
    return cells.read(publish.publish(name) / "cells.csv")


def drawn(name: str, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Numbers of both figures of a study, each drawn."""
    drawing.use_style()
    found = {}
    for key, figure in own_data.figures(name).items():
        read = tables.parted(f"published/{name}", table)
        found[key] = figure.numbers(read, config.intervals())
        assert figure.words(found[key]) and drawing.save(figure.draw(found[key]), Path(key)).stat().st_size > 5000
    return found


def verdicts(name: str, table: pd.DataFrame) -> dict[str, str]:
    """By claim."""
    read, claims = tables.parted(f"published/{name}", table), statements.read(Path(f"claims/{name}.yaml"))
    return {claim.id: judge(claim, read, 0.95, {})["verdict"] for claim in claims}


def test_molecules_become_a_regression_study(
    make: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    molecules("mols.csv")
    assert "60 truth, 60 weak, 60 test" in make("regression|logs|--file|mols.csv|--smiles|mol|--label|logS")
    path = Path("studies/logs.yaml")
    path.write_text(path.read_text().replace("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]", "[0, 1, 2]"))
    read: list[int] = []  # MiniMol itself is tried in test_molecules_models.py
    monkeypatch.setattr(
        minimol, "represent", lambda texts, _: read.append(len(texts)) or morgan.represent(texts, 256, 3)
    )
    table = run("logs")
    shutil.rmtree("artifacts/represent")
    stage.run("represent", "logs")
    assert read == [180]  # once, and kept
    real = cells.without_controls(table)
    assert len(real) == 3 * 3 * 2 and set(cells.controls(table)["control"]) == set(
        ("random", "shuffled", "constant", "itself", "teachers_labels")
    )
    np.testing.assert_allclose(table["misfit"] - table["gain"], 2 * table["cross_term"], atol=1e-8)
    own = real[["train_gain", "train_misfit", "train_bound"]]
    assert (own["train_gain"] >= own["train_bound"] - 1e-9).all() and own.notna().all().all()
    report = json.loads(Path("artifacts/data/logs/report.json").read_text())
    assert report == {"rows": 181, "repeats": 1, "conflicting": 0}
    parts = artifacts.Bundle(Path("artifacts/data/logs"))["0"]
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(180))
    numbers = drawn("logs", table, monkeypatch)
    assert len(numbers["logs_pairs"]["pairs"]) == 6 and len(numbers["logs_pairs"]["controls"]) == 5
    assert {point["place"] for point in numbers["logs_gain"]["points"]} == {"", "train_"}
    found = verdicts("logs", table)
    assert {found["logs_identity"], found["logs_bound"]} == {"holds"} and len(found) == 4
    monkeypatch.setattr("pipeline.figures.of_source", lambda source: [])
    study.report(experiments.load("logs"))
    lines = capsys.readouterr().out.splitlines()
    assert (
        "95% interval over 3 seeds" in lines[0]
        and len(lines) == 2 + 6
        and lines[-1].split()[:3]
        == [
            "logs",
            (real["weak_error"] / real["truth_variance"]).groupby(real["weak"]).mean().idxmin(),
            "minimol",
        ]
    )


def test_texts_become_a_study(make: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences("films.tsv.gz")
    with pytest.raises(InputError, match=r"say which of 'neg', 'pos' is 1 .*--positive"):
        make("text|films|--file|films.tsv.gz|--text|sentence|--label|mood")
    assert not list(Path().glob("**/films.*.gz")) or Path("data/own").is_dir() and not list(Path("data/own").iterdir())
    make("text|films|--file|films.tsv.gz|--text|sentence|--label|mood|--positive|pos")
    assert list(sources.read())[-1] == "films" and Path("data/own/films.tsv.gz").exists()
    tiny_models("films", tmp_path)
    table = run("films")
    assert set(table["dataset"]) == {"films"} and set(table["n_eval"]) == {50} and table["seed"].nunique() == 3
    found = pairs.pairs(table, 0.95, 0.5)
    assert len(found) == 4 * 2 and all(0 <= one.roles["student"].value <= 1 for one in found)
    assert [one.pgr is None for one in found] == [not _gap_is_sure(table, one.weak, one.strong) for one in found]
    assert set(drawn("films", table, monkeypatch)) == {"films_pairs", "films_gain"}
    found_verdicts = verdicts("films", table)
    assert {found_verdicts["films_identity"], found_verdicts["films_bound"]} == {"holds"}
    spec = importlib.util.spec_from_file_location("films", "figures/films.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert set(module.FIGURES) == {"films_pairs", "films_gain"}


def _gap_is_sure(table: pd.DataFrame, weak: str, strong: str) -> bool:
    """By hand: the interval of Nadeau and Bengio for three seeds."""
    own = table[(table["weak"] == weak) & (table["strong"] == strong)]
    gap = own["ceiling_accuracy"] - own["weak_accuracy"]
    return bool(gap.mean() - 4.302653 * gap.std() * np.sqrt(1 / 3 + 0.5) > 0)


def test_pairs_become_a_study_of_three_files(make: Callable[[str], str]) -> None:
    stream = np.random.default_rng(0)
    for part in ("truth", "weak", "test"):
        rows = pd.DataFrame([pair(stream) for _ in range(40)]).rename(columns={"chosen": "better", "rejected": "worse"})
        rows.to_parquet(f"{part}.parquet")
    names = "--truth|truth.parquet|--weak|weak.parquet|--test|test.parquet"
    make(f"preference|chats|{names}|--chosen|better|--rejected|worse|--separator|\n\nAssistant:")
    settings = experiments.load("chats").settings
    assert settings.data.datasets["chats"].sizes == {"truth": 40, "weak": 40, "test": 40}
    assert settings.pretrain is None and settings.strong.full is None and settings.strong.curves is None
    with pytest.raises(InputError, match="the name 'chats' is taken by an experiment"):
        make(f"preference|chats|{names}|--chosen|better|--rejected|worse")


FAULTS = {
    "a name with a dash": ("regression|my-set|--file|mols.csv|--smiles|mol|--label|logS", "lower-case letters, digits"),
    "the name of an experiment": ("regression|kl|--file|mols.csv|--smiles|mol|--label|logS", "taken by an experiment"),
    "no file": ("regression|logs|--file|no.csv|--smiles|mol|--label|logS", "no.csv is missing"),
    "no column": ("regression|logs|--file|mols.csv|--smiles|mol|--label|y", "no column 'y', only mol, logS, lab"),
    "neither text nor SMILES": ("regression|logs|--file|mols.csv|--label|logS", "give --text or --smiles"),
    "text for a molecule": ("regression|logs|--file|mols.csv|--smiles|lab|--label|logS", "'0' is not a SMILES"),
    "numbers for texts": ("regression|logs|--file|mols.csv|--text|lab|--label|logS", "all of 'lab' are numbers"),
    "words for labels": ("regression|logs|--file|mols.csv|--smiles|mol|--label|mol", "name each once"),
    "more rows than there are": (
        "regression|logs|--file|mols.csv|--smiles|mol|--label|logS|--rows|500",
        "--rows is 500, but the table holds 180 different ones",
    ),
    "two of three files": (
        "text|logs|--truth|mols.csv|--weak|mols.csv|--text|mol|--label|lab",
        "all of --truth, --weak",
    ),
    "labels beyond 1": ("text|logs|--file|mols.csv|--text|mol|--label|lab", "a label lies between 0 and 1"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line_and_leaves_nothing(name: str, make: Callable[[str], str]) -> None:
    line, words = FAULTS[name]
    molecules("mols.csv")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    with pytest.raises(InputError) as caught:
        make(line)
    assert words in str(caught.value) and "\n" not in str(caught.value), caught.value
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_rows_of_a_group_stay_together(make: Callable[[str], str]) -> None:
    molecules("mols.csv")
    make("regression|logs|--file|mols.csv|--smiles|mol|--label|logS|--group|lab")
    settings = experiments.load("logs").settings
    found = experiments.load("logs").function("data")(settings, {}, None)
    table = pd.read_csv("mols.csv").drop_duplicates("mol", ignore_index=True)
    for seed in settings.data.seeds:
        groups = [set(table["lab"].iloc[rows]) for rows in found[str(seed)].values()]
        assert len(set.union(*groups)) == sum(map(len, groups)) == 40


def test_a_kept_snapshot_of_other_settings_is_not_replaced(
    write_params: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = experiments.load("realizability")
    target = publish.folder(one.name)
    kept = {"study": one.name, "params": one.settings.model_dump(mode="json")}
    artifacts.write_json(target / "manifest.json", kept)
    publish.guard(one)
    write_params(realizability__strong__heads=["exact"])
    changed = experiments.load("realizability")
    assert publish.stale(one.name)
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    publish.guard(changed)  # git does not keep it yet: a study in the making
    subprocess.run(["git", "add", "published"], check=True)
    with pytest.raises(
        InputError, match="made with other settings, and claims stand on it; copy studies/realiz.*--replace"
    ):
        publish.guard(changed)
    with pytest.raises(InputError, match="made with other settings"):
        study.run([changed])
    publish.guard(changed, replace=True)
    write_params(realizability__strong__heads=one.settings.model_dump(mode="json")["strong"]["heads"])
    with pytest.raises(InputError, match="holds sciq, which were left out here; set W2S_MIRROR"):
        publish.guard(one, left_out=["sciq"])


def test_a_regression_set_is_divided_into_thirds_and_a_group_is_in_one() -> None:
    alone = regression_data.divided(np.arange(180), "toy", seed=0)
    assert {len(rows) for rows in alone.values()} == {60}
    group = np.repeat(np.arange(60), 3)
    together = [set(group[rows]) for rows in regression_data.divided(group, "toy", seed=0).values()]
    assert len(set.union(*together)) == sum(map(len, together)) == 60
