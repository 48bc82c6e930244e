"""docs/ADDING.md: every example in it is taken from the page and run."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from pipeline import claims, publish
from pipeline.core import artifacts, cells, config, experiments, stage
from pipeline.experiments.preferences.common import texts
from pipeline.figures import FIGURES, compute, picture
from pipeline.language import losses
from pipeline.measures import classification
from pipeline.summary import tables
from pipeline.theory import divergence
from tests import toy_cells
from tests.conftest import ROOT
from tests.tiny_language import save_model, tiny_study

VERBS = ("data", "represent", "weak", "labels", "strong", "evaluate")
Block = dict[str, Any]


def example(beginning: str) -> str:
    """The code block of the page that begins so."""
    text = (ROOT / "docs/ADDING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:yaml|python)\n(.*?)```", text, re.S)
    return next(block for block in blocks if block.startswith(beginning))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return tiny_study(tmp_path, monkeypatch)


def ran(change: Callable[[Block], None], study: Callable[..., None]) -> pd.DataFrame:
    def frozen(block: Block) -> None:
        block["strong"]["full"]["datasets"] = []
        change(block)

    study(frozen)
    for verb in VERBS:
        stage.run(verb, "preferences")
    return cells.read(Path("artifacts/results/preferences/cells.csv"))


def test_a_question_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Study, snapshot, figure and claims of the page at tiny sizes, beside the repository's and not in their place."""
    monkeypatch.setenv("W2S_WORKERS", "1")
    toy = {"results/synthetic": toy_cells.synthetic(), "published/realizability": toy_cells.realizability()}
    monkeypatch.chdir(toy_cells.repository(tmp_path, toy))
    kept = Path("published/realizability/cells.csv").read_bytes()
    block = YAML(typ="safe").load(example("about: panel b"))
    sizes = ("tasks", 4), ("samples", 96), ("evaluation_samples", 128), ("pretraining_samples", 64)
    block["data"] |= {"pretraining_tasks": 2, **dict(sizes)}
    block["represent"] |= {"weak_epochs": 3, "strong_epochs": [4]}
    for adamw in (block["weak"], block["strong"]["adamw"]):
        adamw["epochs"] = 20
    YAML().dump(block, Path("studies/shallow.yaml"))
    for verb in VERBS:
        stage.run(verb, "shallow")
    assert publish.publish("shallow") == Path("published/shallow") and not publish.stale("shallow")
    assert Path("published/realizability/cells.csv").read_bytes() == kept
    scope: Block = {}
    exec(compile(example('"""Three blocks against eight'), "docs/ADDING.md", "exec"), scope)
    for name, figure in scope["FIGURES"].items():
        monkeypatch.setitem(FIGURES, name, figure)
    made = compute(["shallow_ratio"], tables.read(config.experiments()), config.intervals())
    artifacts.write_json(Path("drawn/shallow_ratio.json"), made["shallow_ratio"])
    assert picture("shallow_ratio", Path("drawn")).stat().st_size > 10_000
    for path in Path("claims").glob("*.yaml"):
        path.unlink()
    Path("claims/own.yaml").write_text(example("- experiment: published/shallow"))
    Path("sources.yaml").write_text(example("own:\n  label: Ours"))
    claims.main()
    verdicts = {row["id"]: row["verdict"] for row in artifacts.read_item(claims.JUDGED)}
    assert verdicts.keys() == {"shallow_close", "shallow_gains"} and "not run" not in verdicts.values()


def test_a_text_set_of_the_hub(study: Callable[..., None], tmp_path: Path) -> None:
    """A set that the code never saw: a hub folder in parquet with columns of its own."""
    folder = tmp_path / "hub" / "jokes"
    folder.mkdir(parents=True)
    rows = [
        {"question": f"Q: {i} how A: {'sure' if i % 2 else 'no'}", "funny": bool(i % 2), "more": i} for i in range(130)
    ]
    pd.DataFrame(rows).to_parquet(folder / "train.parquet")
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: train.parquet\n---\n")
    entry = YAML(typ="safe").load(example("jokes:"))["jokes"]
    entry["source"]["name"] = str(folder)
    entry["sizes"] = {"truth": 40, "weak": 40, "test": 40}

    def change(block: Block) -> None:
        block["data"]["datasets"] = {"jokes": entry}
        block["represent"]["float32_rows"] = {}

    assert set(ran(change, study)["dataset"]) == {"jokes"}


def test_a_model_of_the_hub(study: Callable[..., None], tmp_path: Path) -> None:
    """The page's entry and rung, the name on the hub replaced by a folder of the same format."""
    entry, rung = (YAML(typ="safe").load(example(name)) for name in ("gpt2:", "gpt2-12:"))
    entry["gpt2"]["name"] = str(save_model(tmp_path / "gpt2", hidden=8, layers=12))

    def change(block: Block) -> None:
        block["represent"]["models"] |= entry
        block["represent"]["ladder"] |= rung
        block["weak"]["teachers"]["gpt2"] = {"rung": "gpt2-12", "labels": 40, "dimensions": 0}

    assert "gpt2" in set(ran(change, study)["weak"])


def test_a_loss(study: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's function, registered under its name."""
    scope = vars(losses).copy()
    exec(compile(example("def brier"), "docs/ADDING.md", "exec"), scope)
    monkeypatch.setitem(losses.LOSSES, "brier", scope["brier"])
    found = ran(lambda block: block["strong"]["losses"].append("brier"), study)
    assert "brier" in set(found["loss"]) and found[found["loss"] == "brier"]["student_accuracy"].between(0, 1).all()
    logits, labels = torch.tensor([[0.0]]), torch.tensor([[1.0]])
    assert float(scope["brier"](logits, labels, 0.0)) == pytest.approx(0.25)


def test_rows_of_classification(generator: np.random.Generator) -> None:
    """The page's function gives a row a direction, each with the identity in KL and all that a cell needs."""
    scope: Block = {"classification": classification}
    exec(compile(example("def rows"), "docs/ADDING.md", "exec"), scope)
    truth, teacher, student, ceiling = divergence.floored(generator.dirichlet(np.ones(3), (4, 50)), 0.001)
    table = classification.ordered(pd.DataFrame(scope["rows"](truth, teacher, student, ceiling)))
    assert table["direction"].to_list() == ["reverse", "forward"] and cells.incomplete(table) is None
    np.testing.assert_allclose(table["misfit"] - table["gain"], table["cross_term"])
    assert table["gain"].nunique() == 2


def boolq() -> pd.DataFrame:
    """Rows of the development part where the mirror has them, else two rows of the same shape."""
    kept = Path(os.environ.get("W2S_MIRROR", ROOT / "../shared/data")) / "nlp_w2s" / "boolq_dev.jsonl.xz"
    if kept.exists():
        return pd.read_json(kept, lines=True)
    rows = {"question": ["is it", "is it not"], "passage": ["It is.", "It is."], "answer": [True, False]}
    return pd.DataFrame(rows | {"title": ["It", "It"]})


def test_boolq_in_the_columns_of_the_hub() -> None:
    entry = experiments.load("preferences", ROOT / "params.yaml").settings.data.datasets["sciq"]
    entry = entry.model_copy(update={"format": "boolq", "separator": "Question:"})
    rows = boolq()
    made = texts.formatted("boolq", "truth", rows, entry, 0)
    assert len(made) == len(rows) and (made["label"] == rows["answer"]).all()
    for text, question, passage in zip(made["text"], rows["question"], rows["passage"], strict=True):
        assert text.index(passage) < text.index(question, len(passage))
