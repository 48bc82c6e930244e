"""dvc.yaml against the code, and the whole pipeline through DVC at tiny size in a scratch clone."""

import ast
import json
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT, Tiny
from ruamel.yaml import YAML

from pipeline.core.stage import UPSTREAM
from tests.clones import copy_repository, dvc

FINAL = ("figures", "claims", "report")


def load(path: Path) -> dict:
    return YAML(typ="safe").load(path)


def expanded() -> dict[str, dict]:
    """Every stage by name with the variables of dvc.yaml filled in."""
    document, stages = load(ROOT / "dvc.yaml"), {}
    for name, stage in document["stages"].items():
        if "foreach" not in stage:
            stages[name] = stage
            continue
        each = stage["foreach"]
        for key, item in (document["vars"][0]["uses"] if each == "${uses}" else dict.fromkeys(each, {})).items():
            text = json.dumps(stage["do"]).replace("${key}", key).replace("${item}", key)
            for field, value in item.items():
                text = text.replace(f"${{item.{field}}}", value)
            stages[f"{name}@{key}"] = json.loads(text)
    return stages


def outputs(stage: dict) -> set[str]:
    """What a stage writes, its metrics apart."""
    return {path for kind in ("outs", "plots") for out in stage.get(kind, []) for path in out}


def module_path(name: str) -> Path | None:
    path = ROOT / Path(*name.split("."))
    return next((item for item in (path.with_suffix(".py"), path / "__init__.py") if item.exists()), None)


@cache
def imports(path: Path) -> frozenset[Path]:
    """Modules of this repository that a file needs, directly or through others."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {target for name in names if name.startswith("pipeline.") and (target := module_path(name))}
    return frozenset(found | {deeper for target in found if target != path for deeper in imports(target)})


def outside(stage: dict) -> set[str]:
    """Modules that a stage runs but does not depend on."""
    entry = ROOT / f"pipeline/{stage['cmd'].split()[2].split('.')[1]}.py"
    verbs = [ROOT / dep for dep in stage["deps"] if dep.startswith("pipeline/experiments/") and dep.endswith(".py")]
    needed = {path for start in [entry, *verbs] for path in {start, *imports(start)}}
    declared = [ROOT / dep for dep in stage["deps"]]
    return {
        str(path.relative_to(ROOT))
        for path in needed
        if path.name != "__init__.py" and not any(path == dep or dep in path.parents for dep in declared)
    }


@pytest.mark.parametrize("name", expanded())
def test_a_stage_depends_on_every_module_it_imports(name: str) -> None:
    assert outside(expanded()[name]) == set()


@pytest.mark.parametrize("name", expanded())
def test_a_stage_depends_on_nothing_that_is_not_there(name: str) -> None:
    code = [dep for dep in expanded()[name]["deps"] if dep.startswith(("pipeline/", "notebooks", "data", "claims"))]
    assert [dep for dep in code if not (ROOT / dep).exists()] == []


@pytest.mark.parametrize("name", [name for name in expanded() if "@" in name])
def test_a_stage_reads_what_the_verb_reads_and_writes_where_it_writes(name: str) -> None:
    verb, experiment = name.split("@")
    stage = expanded()[name]
    assert stage["cmd"] == f"python -m pipeline.{verb} {experiment}"
    read = {dep for dep in stage["deps"] if dep.startswith("artifacts/")}
    assert read == {f"artifacts/{upstream}/{experiment}" for upstream in UPSTREAM[verb]}
    written = outputs(stage)
    results = {"evaluate": "cells.csv", "reliability": "reliability.csv"}
    expected = f"results/{experiment}/{results[verb]}" if verb in results else f"artifacts/{verb}/{experiment}"
    assert written == {expected}


@pytest.mark.parametrize("name", ["figures", "claims", "report"])
def test_what_reads_the_tables_waits_for_all_of_them(name: str) -> None:
    written = {path for stage in expanded().values() for path in outputs(stage)}
    tables = {path for path in written if path.startswith("results/") and path.endswith(".csv")}
    assert len(tables) > 4 and tables <= set(expanded()[name]["deps"])


@pytest.mark.parametrize("name", expanded())
def test_what_git_keeps_enters_the_run_cache_or_is_remade_from_what_lies_there(name: str) -> None:
    """DVC leaves out of its run cache every stage with a plain output that only git keeps."""
    plain = [options for out in expanded()[name].get("outs", []) for options in out.values()]
    assert all(options.get("persist") for options in plain if options.get("cache") is False)


def used_blocks(path: Path) -> set[str]:
    """Blocks of the settings that a verb's module reads: `settings.<block>` where settings is the whole model."""
    tree = ast.parse(path.read_text())
    blocks = set()
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        whole = {
            a.arg for a in function.args.args if isinstance(a.annotation, ast.Name) and a.annotation.id == "Settings"
        }
        blocks |= {
            node.attr
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in whole
        }
    return blocks


@pytest.mark.parametrize("name", [name for name in expanded() if "@" in name])
def test_a_stage_depends_on_the_params_it_uses(name: str) -> None:
    verb, experiment = name.split("@")
    declared = {param.split(".")[1] for param in expanded()[name]["params"]}
    assert used_blocks(ROOT / f"pipeline/experiments/{experiment}/{verb}.py") <= declared


def test_every_block_of_params_is_used_by_a_stage() -> None:
    declared = {param for stage in expanded().values() for param in stage.get("params", [])}
    params = load(ROOT / "params.yaml")
    blocks = {f"{experiment}.{block}" for experiment in params["experiments"] for block in params[experiment]}
    assert blocks <= declared and "intervals" in declared


def test_experiments_are_the_same_in_params_and_stages() -> None:
    assert load(ROOT / "params.yaml")["experiments"] == list(load(ROOT / "dvc.yaml")["vars"][0]["uses"])


def test_the_committed_lock_is_in_step(tmp_path: Path) -> None:
    """A clone whose data files are missing would run no stage."""
    clone = copy_repository(tmp_path)
    shown = dvc(clone, "repro", "--allow-missing", "--dry")
    assert "Running stage" not in shown, shown


@pytest.fixture(scope="module")
def tiny_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clone in which the whole pipeline has run at tiny size."""
    clone = copy_repository(tmp_path_factory.mktemp("pipeline"))
    Tiny().write(clone)
    dvc(clone, "repro")
    return clone


def test_the_whole_pipeline_runs_through_dvc(tiny_clone: Path) -> None:
    claims = json.loads((tiny_clone / "report/claims.json").read_text())
    assert {claim["verdict"] for claim in claims} <= {"holds", "fails", "inconclusive", "not run"}
    assert (tiny_clone / "report/index.html").stat().st_size > 10_000
    assert not list((tiny_clone / "artifacts/partial").rglob("*.safetensors"))


def test_nothing_runs_twice(tiny_clone: Path) -> None:
    assert "Running stage" not in dvc(tiny_clone, "repro")


def test_one_changed_number_runs_only_what_it_touches(tiny_clone: Path) -> None:
    text = (tiny_clone / "params.yaml").read_text()
    YAML().dump(changed(text), tiny_clone / "params.yaml")
    shown = dvc(tiny_clone, "repro", "--dry")
    (tiny_clone / "params.yaml").write_text(text)
    ran = [line for line in shown.splitlines() if line.startswith("Running stage")]
    assert ran[0] == "Running stage 'strong@synthetic':"
    assert not any("molecules" in line or "represent@" in line or "weak@" in line for line in ran)


def changed(text: str) -> dict:
    params = YAML().load(text)
    params["synthetic"]["strong"]["exact"]["minimum_active"] = 7
    return params


def test_metrics_and_plots_are_known_to_dvc(tiny_clone: Path) -> None:
    metrics = json.loads(dvc(tiny_clone, "metrics", "show", "--json"))
    assert any(name.endswith("results/synthetic/metrics.json") for name in metrics[""]["data"])
    shown = dvc(tiny_clone, "plots", "show", "--json")
    assert "gain" in shown and "misfit" in shown
