"""docs/ADDING.md: its head is applied as the patch it is, its experiment built from its files, and both are run."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.core import cells
from tests.clones import command, copy_repository
from tests.conftest import ROOT, Tiny

PAGE = (ROOT / "docs/ADDING.md").read_text(encoding="utf-8")


def files(beginning: str, end: str) -> dict[str, str]:
    """The files that a part of the page shows in full, by path."""
    part = PAGE[PAGE.index(beginning) : PAGE.index(end)]
    return dict(re.findall(r"^`([\w/]+\.(?:py|yaml))`(?:(?!^`).)*?```\w+\n(.*?)```", part, re.M | re.S))


FILES = files("## An experiment, on data", "## A variant")
VARIANT = files("## A variant", "## An experiment in classification")
ALL = "import sys; from pipeline.core import stage\nfor verb in sys.argv[2:]: stage.run(verb, sys.argv[1])"
VARIED = """
from pipeline.core import experiments, stage
for verb in ("strong", "evaluate"): stage.run(verb, "diabetes_forest")
print(*(experiments.load("diabetes_forest").owner(verb).name for verb in experiments.VERBS))
"""
VERBS = ("data", "represent", "weak", "labels", "strong", "evaluate")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return copy_repository(tmp_path)


def test_a_head(clone: Path) -> None:
    patch = re.findall(r"```diff\n(.*?)```", PAGE, re.S)[0]
    arguments = ["git", "apply", "--unidiff-zero", "-"]
    done = subprocess.run(arguments, cwd=clone, input=patch, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    params = Tiny()
    params["synthetic"]["strong"]["heads"] = ["exact", "ridge"]
    params.write(clone)
    command(clone, sys.executable, "-c", ALL, "synthetic", *VERBS, PYTHONPATH=str(clone))
    found = cells.read(clone / "results/synthetic/cells.csv")
    assert set(found["head"]) == {"exact", "ridge"}
    means = found[found["panel"] == "realizable"].groupby("head")[["weak_error", "student_error"]].mean()
    assert (means["student_error"] < means["weak_error"]).all()


def test_an_experiment_is_six_files_and_little_that_is_not_its_science() -> None:
    assert len(FILES) == 6
    code = FILES["pipeline/figures/diabetes.py"]
    registered = [text for name, text in FILES.items() if name.startswith(("studies", "tests", "sources"))]
    registered.append(code[code.index("FIGURES = {") :])
    assert sum(len(text.splitlines()) for text in registered) <= 40


def test_an_experiment_with_its_figure_and_claims(clone: Path) -> None:
    """From its files to the page: run, published, drawn, judged, and held to what every experiment must keep."""
    for name, text in FILES.items():
        old = (clone / name).read_text() + "\n" if name == "sources.yaml" else ""
        (clone / name).write_text(old + text)
    python = (sys.executable, "-m")
    command(clone, *python, "pipeline.study", "diabetes")
    found = cells.read(clone / "published/diabetes/cells.csv")
    np.testing.assert_allclose(found["misfit"] - found["gain"], 2 * found["cross_term"], atol=1e-9)
    assert len(found) == 5 and (found["student_error"] > 0).all()
    command(clone, *python, "pipeline.figures", "diabetes_gain")
    command(
        clone,
        sys.executable,
        "-c",
        "from pipeline import claims, readme, report\nfor made in (claims, report, readme): made.main()",
    )
    verdicts = {claim["id"]: claim["verdict"] for claim in json.loads((clone / "report/claims.json").read_text())}
    assert "not run" not in {verdicts[f"diabetes_{name}"] for name in ("gains", "equality", "bound")}
    assert (clone / "notebooks/executed/diabetes.ipynb").exists()
    page = (clone / "report/index.html").read_text()
    assert "Diabetes patients: gain against misfit" in page and "Scatter of misfit against gain" in page
    line = "| [diabetes_gain](paper_figures/diabetes_gain.pdf) | gain against misfit on diabetes patients |"
    assert f"{line} `python -m pipeline.study diabetes` |" in (clone / "README.md").read_text()
    command(clone, *python, "pytest", "-q", "tests/test_contract.py", "-k", "diabetes")
    for name, text in VARIANT.items():
        (clone / name).write_text(text)
    own = command(clone, sys.executable, "-c", VARIED, PYTHONPATH=str(clone)).split()
    assert own == ["diabetes"] * 4 + ["diabetes_forest"] * 2
    forest = cells.read(clone / "artifacts/results/diabetes_forest/cells.csv")
    assert set(forest["head"]) == {"forest"}
    assert forest["weak_error"].equals(found["weak_error"]) and not forest["gain"].equals(found["gain"])
