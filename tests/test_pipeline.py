"""dvc.yaml against the code, and all stages through DVC at tiny size in a scratch clone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import MAIN, ROOT, Tiny, read

from pipeline import keys as main_keys
from pipeline.core import experiments, files, keys
from pipeline.core.experiments import UPSTREAM
from tests.clones import command, commit, copy_repository, dvc, running

FINAL = ("figures", "claims", "report")
TOY = '''"""Digits whose students see the most probable class alone."""

import numpy as np

from pipeline.experiments.digits import settings as digits
from pipeline.experiments.digits.evaluate import run as measured
from pipeline.experiments.digits.labels import run as labelled
from pipeline.experiments.digits.strong import run as fitted


class Settings(digits.Settings):
    """Of digits, nothing more."""


def labels(settings, upstream, pool):
    return {split: {name: np.eye(10)[soft.argmax(-1)] * 0.98 + 0.002 for name, soft in made.items()}
            for split, made in labelled(settings, upstream, pool).items()}


def strong(settings, upstream, pool):
    return fitted(settings, upstream, pool)


def evaluate(settings, upstream, pool):
    return measured(settings, upstream, pool)
'''


def expanded() -> dict[str, dict]:
    """Every stage by name, with experiments filled in."""
    stages = {}
    for name, stage in read(ROOT / "dvc.yaml")["stages"].items():
        each = stage.get("foreach")
        for item in read(ROOT / "params.yaml")[each.strip("${}")] if each else ():
            stages[f"{name}@{item}"] = json.loads(json.dumps(stage["do"]).replace("${item}", item))
        if each is None:
            stages[name] = stage
    return stages


def outputs(stage: dict) -> set[str]:
    """What a stage writes, its metrics apart."""
    outs = [out for kind in ("outs", "plots") for out in stage.get(kind, [])]
    return {path for out in outs for path in ([out] if isinstance(out, str) else out)}


def hashes(stage: dict) -> list[str]:
    """The entries of keys.json that a stage depends on."""
    return [key for entry in stage["params"] if isinstance(entry, dict) for key in entry.get("keys.json", ())]


@pytest.mark.parametrize("name", [name for name in expanded() if "@" in name])
def test_a_stage_reads_what_the_verb_reads_and_writes_where_it_writes(name: str) -> None:
    verb, experiment = name.split("@")
    stage = expanded()[name]
    assert stage["cmd"] == f"python -m pipeline.{verb} {experiment}"
    assert set(stage.get("deps", ())) == {f"artifacts/{upstream}/{experiment}" for upstream in UPSTREAM[verb]}
    results = {"evaluate": ("cells.csv", "metrics.json", "points.csv"), "reliability": ("reliability.csv",)}
    tables = {f"results/{experiment}/{file}" for file in results.get(verb, ())}
    assert outputs(stage) == (tables or {f"artifacts/{verb}/{experiment}"}) and hashes(stage) == [
        f"{verb}.{experiment}"
    ]


def test_every_hash_belongs_to_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    made = main_keys.made()
    flat = {f"{verb}.{name}" for verb in UPSTREAM for name in made[verb]} | set(FINAL)
    assert flat == {key for name, stage in expanded().items() if name != "keys" for key in hashes(stage)}


@pytest.mark.parametrize("name", ["figures", "claims", "report"])
def test_what_reads_the_tables_waits_for_all_of_them(name: str) -> None:
    assert {"results", "published"} <= set(expanded()[name]["deps"])


@pytest.mark.parametrize("name", expanded())
def test_what_git_keeps_enters_the_run_cache_or_is_remade_from_what_lies_there(name: str) -> None:
    """DVC leaves out of its run cache every stage with a plain output that only git keeps."""
    plain = [options for out in expanded()[name].get("outs", []) if isinstance(out, dict) for options in out.values()]
    assert all(options.get("persist") for options in plain if options.get("cache") is False)


def test_the_committed_lock_is_in_step(tmp_path: Path) -> None:
    """A clone whose data files are missing would run no stage."""
    clone = copy_repository(tmp_path)
    shown = dvc(clone, "repro", "--allow-missing", "--dry")
    assert "Running stage" not in shown, shown


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sources, params and data in a folder of their own, of which the hashes are made."""
    for name in ("pipeline", "data"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keys, "PACKAGE", tmp_path / "pipeline")
    monkeypatch.setattr(experiments, "HOME", tmp_path / "pipeline/experiments")
    assert Path("data") == files.SHIPPED
    return tmp_path


def appended(name: str, text: str) -> Callable[[Path], None]:
    """Add to the end of a file."""
    return lambda folder: (folder / name).write_text((folder / name).read_text() + text)


def reworded(name: str) -> Callable[[Path], None]:
    """Another first word in the docstring of a module, and one more comment."""
    return lambda folder: (folder / name).write_text((folder / name).read_text().replace('"""', '"""So ', 1) + "# X\n")


def swapped(old: str, new: str) -> Callable[[Path], None]:
    """One text of params.yaml replaced."""

    def change(folder: Path) -> None:
        text = (folder / "params.yaml").read_text()
        assert text.count(old) == 1
        (folder / "params.yaml").write_text(text.replace(old, new))

    return change


CHANGES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "theory that figures and claims use": (appended("pipeline/theory/selection.py", "\nX = 1\n"), set(FINAL)),
    "theory that one verb uses": (
        appended("pipeline/theory/misfit.py", "\nX = 1\n"),
        {"evaluate.synthetic", "evaluate.molecules"},
    ),
    "a comment and a docstring": (reworded("pipeline/theory/misfit.py"), set()),
    "a verb of one experiment": (appended("pipeline/experiments/digits/labels.py", "\nX = 1\n"), {"labels.digits"}),
    "the look of the page": (appended("pipeline/page/style.css", "\nh6 { margin: 0; }\n"), {"report"}),
    "a data card": (appended("data/kl.md", "\nMore.\n"), set()),
    "a data file": (appended("data/moleculenet/SAMPL.csv", "\n"), {"data.molecules"}),
    "params of one verb": (
        swapped("minimum_active: 40          #", "minimum_active: 41          #"),
        {"strong.synthetic", "evaluate.synthetic"},
    ),
    "params of the last verb": (
        swapped("is looked at as well\n    - 0.01", "is looked at as well\n    - 0.02"),
        {"evaluate.kl", "reliability.kl"},
    ),
}


def flat(made: dict) -> dict[str, str]:
    verbs = {f"{verb}.{name}": value for verb in UPSTREAM for name, value in made[verb].items()}
    return verbs | {name: made[name] for name in FINAL}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_touches_the_stages_that_load_it_and_no_other(name: str, copy: Path) -> None:
    change, expected = CHANGES[name]
    before = flat(main_keys.made())
    change(copy)
    after = flat(main_keys.made())
    assert {key for key in before if before[key] != after[key]} == expected


@pytest.fixture(scope="module")
def tiny_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clone in which two experiments have run through all stages at tiny size, and no study.

    The others differ in the name that fills dvc.yaml's templates; test_contract.py runs them all.
    """
    clone = copy_repository(tmp_path_factory.mktemp("pipeline"))
    params = Tiny()
    params["experiments"] = ["kl", "digits"]
    for name in ("synthetic", "molecules"):
        del params.files[MAIN][name]
        shutil.rmtree(clone / "results" / name)
    params.write(clone)
    for study in (clone / "published").iterdir():  # their figures take longest, and others draw them
        if study.name != "realizability":
            shutil.rmtree(study)
    dvc(clone, "repro")
    return clone


def test_the_pipeline_runs_through_dvc(tiny_clone: Path) -> None:
    claims = json.loads((tiny_clone / "report/claims.json").read_text())
    assert {claim["verdict"] for claim in claims} <= {"holds", "fails", "inconclusive", "not run"}
    assert (tiny_clone / "report/index.html").stat().st_size > 10_000
    assert not list((tiny_clone / "artifacts/partial").rglob("*.safetensors"))


def test_nothing_runs_twice_and_no_study_shows(tiny_clone: Path) -> None:
    assert "Running stage" not in dvc(tiny_clone, "repro")
    assert "up to date" in dvc(tiny_clone, "status")


def test_metrics_and_plots_are_known_to_dvc(tiny_clone: Path) -> None:
    metrics = json.loads(dvc(tiny_clone, "metrics", "show", "--json"))
    assert any(name.endswith("results/kl/headline.json") for name in metrics[""]["data"])
    shown = dvc(tiny_clone, "plots", "show", "--json")
    assert "gain" in shown and "misfit" in shown


def test_a_changed_verb_runs_alone(tiny_clone: Path) -> None:
    """Its output stays the same, so nothing after it runs."""
    path = tiny_clone / "pipeline/experiments/digits/labels.py"
    path.write_text(path.read_text() + "\nX = 1\n")
    assert running(dvc(tiny_clone, "repro")) == ["keys", "labels@digits"]


def test_a_study_stands_on_another_experiment_and_shows_only_while_it_runs(tiny_clone: Path) -> None:
    """It has no data, representations and teachers of its own: those of digits are used and not made again."""
    (tiny_clone / "pipeline/experiments/toy.py").write_text(TOY)
    own = {name: Tiny()["digits"][name] for name in ("labels", "strong", "evaluate")}
    (tiny_clone / "studies/toy.yaml").write_text(json.dumps({"upstream": "digits", **own}))
    study = ("python", "-m", "pipeline.study")
    shown = command(tiny_clone, *study, "toy")
    ran = {name.removeprefix("studies/dvc.yaml:") for name in running(shown)}
    assert ran == {"keys", "labels@toy", "strong@toy", "evaluate@toy"}
    assert (tiny_clone / "published/toy/cells.csv").exists() and "published published/toy" in shown
    assert not any(read(tiny_clone / "studies/running.yaml").values())
    assert "toy" not in dvc(tiny_clone, "status") and not running(command(tiny_clone, *study, "toy"))
    assert "toy" in command(tiny_clone, *study)
    manifest = json.loads((tiny_clone / "published/toy/manifest.json").read_text())
    assert manifest["params"]["data"] == Tiny()["digits"]["data"]
    commit(tiny_clone, "toy")
