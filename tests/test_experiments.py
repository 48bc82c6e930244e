"""docs/EXPERIMENTS.md: its commands run in order at tiny sizes, and what they leave behind."""

import csv
import difflib
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from tests.clones import DVC, command, commit, copy_repository, dvc, git
from tests.conftest import ROOT, Tiny

PAGE, SMALL = (ROOT / "docs/EXPERIMENTS.md").read_text().split("## The same at the sizes")
COMMANDS = re.findall(r"^    ((?:dvc|git) .*)$", PAGE, re.M)
TARGET = "evaluate@synthetic"
CHANGED = "synthetic.represent.perturbation"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Clone with one experiment in which the session ran, and what each command printed."""
    clone = copy_repository(tmp_path_factory.mktemp("session"))
    git(clone, "rm", "-rqf", "studies", "dvc.lock")
    params = Tiny()
    params["synthetic"]["data"]["seeds"] = [0]
    params["synthetic"]["strong"]["heads"] = ["exact"]
    main = {name: params[name] for name in ("intervals", "synthetic")}
    (clone / "params.yaml").write_text(json.dumps({"experiments": ["synthetic"], "diagrams": [], **main}))
    dvc(clone, "repro", TARGET)
    commit(clone, "tiny")
    return clone, {line: command(clone, "sh", "-c", line.replace("dvc ", f"{shlex.join(DVC)} ")) for line in COMMANDS}


def test_the_page_shows_every_kind_of_command() -> None:
    kinds = {" ".join(line.split()[1:3]) for line in COMMANDS}
    assert kinds == {"exp run", "restore .", "exp show", "params diff", "metrics diff", "plots diff", "exp apply"}
    assert sum("--queue" in line for line in COMMANDS) == 2


def test_the_page_tells_how_to_run_at_the_sizes_of_the_tests(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (line,) = re.findall(r"^    python -c \"(.*)\"$", SMALL, re.M)
    exec(compile(line.replace("Path()", f"Path({str(tmp_path)!r})"), "docs/EXPERIMENTS.md", "exec"))
    assert YAML(typ="safe").load(tmp_path / "params.yaml")["synthetic"] == Tiny()["synthetic"]


def test_a_run_touches_only_the_stages_that_use_the_number(session: tuple[Path, dict[str, str]]) -> None:
    shown = session[1][COMMANDS[0]]
    assert f"Running stage '{TARGET}'" in shown and "data@synthetic' didn't change" in shown


def test_table_and_differences_name_what_was_changed(session: tuple[Path, dict[str, str]]) -> None:
    _, printed = session
    rows = csv.DictReader(next(text for line, text in printed.items() if "exp show" in line).splitlines())
    table = {row["Experiment"] or row["rev"]: row for row in rows}
    own = {name: (row[f"{CHANGED}.weak_sigma"], row[f"{CHANGED}.biases"]) for name, row in table.items()}
    committed = next(name for name in own if name not in ("workspace", "wide", "narrow", "plain"))
    sigma, biases = own[committed]
    # Each differs from what is committed by one number.
    assert own["wide"] == ("0.1", biases) and own["narrow"] == ("0.02", biases) and own["plain"] == (sigma, "False")
    assert biases == "True" and sigma not in ("0.1", "0.02")
    gains = {row["perturbed.gain"] for row in table.values()}
    assert len(gains) == 4
    assert len(table[committed]) <= 12
    params = next(text for line, text in printed.items() if "params diff" in line)
    assert [line.split()[1] for line in params.splitlines()[1:]] == [f"{CHANGED}.biases"]
    metrics = next(text for line, text in printed.items() if "metrics diff" in line)
    assert "results/synthetic/headline.json" in metrics


def test_setting_a_number_changes_one_line(tmp_path: Path) -> None:
    """params.yaml is written as DVC writes it."""
    path = tmp_path / "params.yaml"
    before = (ROOT / "params.yaml").read_text()
    path.write_text(before)
    apply_overrides(path, ["kl.strong.curves.learning_rates=[0.01,0.002]"])
    changed = [line for line in difflib.ndiff(before.splitlines(), path.read_text().splitlines()) if line[0] in "+-"]
    assert changed == ["-       - 0.001", "+       - 0.002"]


def test_both_revisions_are_in_one_picture_that_needs_no_network(session: tuple[Path, dict[str, str]]) -> None:
    clone, _ = session
    page = (clone / "dvc_plots/index.html").read_text()
    assert '"rev": "wide"' in page and '"rev": "HEAD"' in page and "misfit" in page
    # Of all experiments as they are committed: small, and nothing in it is fetched.
    dvc(clone, "plots", "diff", "HEAD", "HEAD")
    whole = (clone / "dvc_plots/index.html").read_text()
    for text in (page, whole):
        assert len(text) < 5e6 and "truth_variance" not in text
        assert set(re.findall(r"https?://[^/]*", text)) == {"https://vega.github.io"}  # the specification's name
        assert not re.findall(r"(?:src|href|@import|url\()", text)


def test_apply_brings_the_experiment_into_the_working_tree(session: tuple[Path, dict[str, str]]) -> None:
    clone = session[0]
    assert YAML(typ="safe").load(clone / "params.yaml")["synthetic"]["represent"]["perturbation"]["weak_sigma"] == 0.1
    before = subprocess.run(
        ["git", "show", "HEAD:results/synthetic/metrics.json"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert json.loads(before.stdout) != json.loads((clone / "results/synthetic/metrics.json").read_text())
