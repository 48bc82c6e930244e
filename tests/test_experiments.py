"""docs/EXPERIMENTS.md: its commands run in order at tiny sizes, and what they leave behind."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.clones import commit, copy_repository, dvc, git
from tests.conftest import ROOT, Tiny

COMMANDS = re.findall(r"^    (dvc .*)$", (ROOT / "docs/EXPERIMENTS.md").read_text(), re.M)
TARGET = "evaluate@synthetic"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Clone with one experiment in which the session ran, and what each command printed."""
    clone = copy_repository(tmp_path_factory.mktemp("session"))
    git(clone, "rm", "-rqf", "studies", "dvc.lock")
    params = Tiny()
    params["synthetic"]["data"]["seeds"] = [0]
    params["synthetic"]["strong"]["heads"] = ["exact"]
    main = {name: params[name] for name in ("intervals", "synthetic")}
    (clone / "params.yaml").write_text(json.dumps({"experiments": ["synthetic"], **main}))
    dvc(clone, "repro", TARGET)
    commit(clone, "tiny")
    return clone, {command: dvc(clone, *shlex.split(command)[1:]) for command in COMMANDS}


def test_the_page_shows_every_kind_of_command() -> None:
    kinds = {" ".join(command.split()[1:3]) for command in COMMANDS}
    assert kinds == {"exp run", "exp show", "params diff", "metrics diff", "plots diff", "exp apply"}
    assert sum("--queue" in command for command in COMMANDS) == 2


def test_a_run_touches_only_the_stages_that_use_the_number(session: tuple[Path, dict[str, str]]) -> None:
    shown = session[1][COMMANDS[0]]
    assert f"Running stage '{TARGET}'" in shown and "data@synthetic' didn't change" in shown


def test_table_and_differences_name_what_was_changed(session: tuple[Path, dict[str, str]]) -> None:
    _, printed = session
    table = next(text for command, text in printed.items() if "exp show" in command)
    assert all(name in table for name in ("wide", "narrow", "plain"))
    params = next(text for command, text in printed.items() if "params diff" in command)
    assert "synthetic.represent.perturbation.weak_sigma" in params and "0.1" in params
    metrics = next(text for command, text in printed.items() if "metrics diff" in command)
    assert "results/synthetic/metrics.json" in metrics


def test_both_revisions_are_in_one_picture(session: tuple[Path, dict[str, str]]) -> None:
    page = (session[0] / "dvc_plots/index.html").read_text()
    assert '"rev": "wide"' in page and '"rev": "HEAD"' in page and "misfit" in page


def test_apply_brings_the_experiment_into_the_working_tree(session: tuple[Path, dict[str, str]]) -> None:
    clone = session[0]
    assert YAML(typ="safe").load(clone / "params.yaml")["synthetic"]["represent"]["perturbation"]["weak_sigma"] == 0.1
    before = subprocess.run(
        ["git", "show", "HEAD:results/synthetic/metrics.json"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert json.loads(before.stdout) != json.loads((clone / "results/synthetic/metrics.json").read_text())
