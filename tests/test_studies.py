"""studies/*/dvc.yaml against the code: the same rules as for the main dvc.yaml."""

import pytest
from conftest import ROOT
from test_pipeline import load, outside, used_blocks

from pipeline.core.stage import UPSTREAM

PRETRAIN, READERS = "pretrain", ("represent", "strong")  # which read the networks that a study pretrains itself
STAGES = {
    f"{verb}@{path.parent.name}": stage
    for path in sorted((ROOT / "studies").glob("*/dvc.yaml"))
    for verb, stage in load(path)["stages"].items()
}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_every_module_it_imports(name: str) -> None:
    assert outside(STAGES[name]) == set()


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_nothing_that_is_not_there(name: str) -> None:
    stage = STAGES[name]
    code = [ROOT / dep for dep in stage["deps"] if dep.startswith(("pipeline/", "data"))]
    assert [str(dep) for dep in code if not dep.exists()] == []


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_what_the_verb_reads_and_writes_where_it_writes(name: str) -> None:
    verb, stage = name.split("@")[0], STAGES[name]
    study = stage["cmd"].split()[-1]
    assert stage["cmd"] == f"python -m pipeline.{verb} {study}" and stage["wdir"] == "../.."
    read = {dep for dep in stage["deps"] if dep.startswith("artifacts/")}
    made = verb in READERS and any(one["cmd"] == f"python -m pipeline.{PRETRAIN} {study}" for one in STAGES.values())
    networks = {f"artifacts/{PRETRAIN}/{study}"} if made else set()
    assert read == {f"artifacts/{upstream}/{study}" for upstream in UPSTREAM.get(verb, ())} | networks
    written = {path for out in stage["outs"] for path in out}
    assert written == ({f"results/{study}/cells.csv"} if verb == "evaluate" else {f"artifacts/{verb}/{study}"})


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_params_it_uses(name: str) -> None:
    verb, study = name.split("@")[0], STAGES[name]["cmd"].split()[-1]
    declared = {param.split(".")[1] for param in STAGES[name]["params"]}
    assert used_blocks(ROOT / f"pipeline/experiments/{study}/{verb}.py") <= declared
