"""The language-model study from texts to cells, on tiny sets and a tiny network; and what bad input ends in."""

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core import artifacts, cells, experiments, stage
from pipeline.core.errors import InputError
from pipeline.experiments.preferences import data
from pipeline.experiments.preferences import labels as labelling
from pipeline.experiments.preferences.common import designs, students
from pipeline.experiments.preferences.common.designs import Unit
from pipeline.language import finetuning
from tests.tiny_language import tiny_study, write_lines

VERBS = ("data", "represent", "weak", "labels", "strong", "evaluate")
Block = dict[str, Any]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes params.yaml of a tiny study in an empty folder, changed at will."""
    return tiny_study(tmp_path, monkeypatch)


def run(*verbs: str) -> None:
    for verb in verbs or VERBS:
        stage.run(verb, "preferences")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_every_path_ends_in_the_same_table(method: str, study: Callable[..., None]) -> None:
    study(lambda block: block["strong"]["full"].update(method=method))
    run()
    table = cells.read(Path("artifacts/results/preferences/cells.csv"))
    assert set(table["panel"]) == {"main", "noise", "curve", "distinct"} and set(table["head"]) == {"frozen", method}
    assert set(table["loss"]) == set(experiments.load("preferences").settings.strong.losses)
    np.testing.assert_allclose(table["misfit"] - table["gain"], table["cross_term"], atol=1e-8)
    assert ((table["weak_error"] - table["student_error"]).abs() <= table["bound"] + 1e-9).all()
    assert table["pgr"].isna().equals(table["pgr_defined"] == 0)
    forward = table[table["loss"] == "forward_kl"].set_index(["dataset", "seed", "weak"])
    ordinary = table[(table["loss"] == "cross_entropy") & (table["labels"] == "soft") & (table["panel"] == "main")]
    ordinary = ordinary[(ordinary["strong"] == "high") & (ordinary["head"] == "frozen")]
    ordinary = ordinary.set_index(["dataset", "seed", "weak"]).loc[forward.index]
    np.testing.assert_allclose(forward["student_error"], ordinary["student_error"], rtol=1e-4)
    precision = json.loads(Path("artifacts/results/preferences/metrics.json").read_text())["precision"]
    assert set(precision) == {"questions"} and set(precision["questions"]) == {"middle", "high"}
    report = artifacts.Bundle(artifacts.folder("represent", "preferences"))["report"]
    assert report["pairs/test/tiny"]["texts"] == 64 and report["pairs/test/tiny"]["truncated"] >= 0


def test_what_was_finetuned_once_is_not_finetuned_again(
    study: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    once = Path("artifacts/results/preferences/cells.csv").read_bytes()
    study(lambda block: block["evaluate"].update(bins=5))
    monkeypatch.setattr(finetuning, "finetune", lambda *_: pytest.fail("finetuned again"))
    run("strong")
    study(lambda block: block["evaluate"].update(bins=4))
    run("evaluate")
    assert Path("artifacts/results/preferences/cells.csv").read_bytes() == once
    study(lambda block: block["strong"]["full"].update(learning_rate=0.002))
    with pytest.raises(pytest.fail.Exception, match="finetuned again"):
        run("strong")


def test_same_bytes_twice(study: Callable[..., None]) -> None:
    study(lambda block: block["strong"]["full"].update(datasets=[]))
    run()
    once = Path("artifacts/results/preferences/cells.csv").read_bytes()
    run()
    assert Path("artifacts/results/preferences/cells.csv").read_bytes() == once


def test_parts_are_disjoint_and_only_the_first_seed_keeps_the_published(study: Callable[..., None]) -> None:
    settings = experiments.load("preferences").settings
    (table, _), weak = data.prepare("pairs", settings.data.datasets["pairs"], settings.data), settings.weak
    for seed in (0, 1, 2):
        parts = designs.parts(table, Unit("pairs", seed), weak)
        assert sorted(np.concatenate(parts).tolist()) == list(range(120)) and [len(p) for p in parts] == [40, 48, 32]
        assert (parts.truth.tolist() == list(range(40))) == (seed == 0)
    published = weak.model_copy(update={"parts": "published"})
    assert designs.parts(table, Unit("pairs", 2), published).weak.tolist() == list(range(40, 88))


def test_a_pool_is_divided_by_prompt_and_repeats_are_dropped_where_there_are_some(study: Callable[..., None]) -> None:
    settings = experiments.load("preferences").settings
    tables = {name: data.prepare(name, chosen, settings.data) for name, chosen in settings.data.datasets.items()}
    (pool, pool_report), (table, report) = tables["questions"], tables["pairs"]
    assert set(pool_report["shared_prompts"].values()) == {0} and pool["prompt"].is_unique
    assert report["shared_prompts"]["weak/test"] > 0
    for seed in settings.weak.seeds:
        kept, distinct = (designs.parts(table, Unit("pairs", seed, twice), settings.weak) for twice in (False, True))
        assert table["prompt"].iloc[np.concatenate(distinct)].is_unique
        assert set(table["prompt"].iloc[np.concatenate(distinct)]) == set(table["prompt"])
        assert len(distinct.test) == table["prompt"].iloc[kept.test].nunique() and set(distinct.weak) < set(kept.weak)
    units = designs.units(settings, {name: table for name, (table, _) in tables.items()})
    assert {unit.dataset for unit in units.values() if unit.distinct} == {"pairs"}


def test_pairs_of_equal_texts_are_left_out_and_counted(study: Callable[..., None]) -> None:
    rows = [
        {"chosen": f"Human: {i}\n\nAssistant: a", "rejected": f"Human: {i}\n\nAssistant: {'ab'[i > 1]}"}
        for i in range(40)
    ]

    def change(block: Block) -> None:
        entry = block["data"]["datasets"]["pairs"]
        entry["source"]["truth"] = write_lines(Path("data/equal.jsonl.xz"), rows)

    study(change)
    settings = experiments.load("preferences").settings.data
    table, report = data.prepare("pairs", settings.datasets["pairs"], settings)
    assert report["equal_pairs_left_out"] == 2 and (table["part"] == "truth").sum() == 38


def test_a_higher_noise_turns_a_superset() -> None:
    labels = np.linspace(0.1, 0.4, 200)
    few, many = (labelling.turned(labels, rate, np.random.default_rng(0)) != labels for rate in (0.1, 0.4))
    assert (few <= many).all() and 5 < few.sum() < 40 < many.sum() < 110


def test_all_losses_run_at_the_focus_only(study: Callable[..., None]) -> None:
    settings = experiments.load("preferences").settings
    assert {one.loss for one in students.plan(settings, "middle")} == set(settings.strong.pair_losses)
    assert {one.loss for one in students.plan(settings, "high")} == set(settings.strong.losses)


def spoil_rows(**rows: Any) -> Callable[[Block], None]:
    """Replace the first row of the truth part."""

    def change(block: Block) -> None:
        entry = block["data"]["datasets"]["pairs"]
        whole = [{"chosen": f"Human: {i} Assistant: a", "rejected": f"Human: {i} Assistant: b"} for i in range(40)]
        entry["source"]["truth"] = write_lines(Path("data/spoilt.jsonl.xz"), [{**whole[0], **rows}, *whole[1:]])

    return change


def spoil_label(block: Block) -> None:
    rows = [{"ask": f"Q: {i} A: no", "good": 1.5 if i == 3 else 1} for i in range(130)]
    block["data"]["datasets"]["questions"]["source"]["pool"] = write_lines(Path("data/labels.jsonl.xz"), rows)


def prompts_twice(block: Block) -> None:
    """Other answers to the prompts of the weak part."""
    source = block["data"]["datasets"]["pairs"]["source"]
    weak = map(json.loads, lzma.decompress(Path("data", source["weak"]["path"]).read_bytes()).splitlines())
    rows = [{**row, "chosen": row["chosen"] + " !"} for row in weak]
    source["truth"] = write_lines(Path("data/answers.jsonl.xz"), rows)


def same_twice(block: Block) -> None:
    source = block["data"]["datasets"]["pairs"]["source"]
    source["truth"] = source["weak"]


def set_key(*path: str, value: Any) -> Callable[[Block], None]:
    def change(block: Block) -> None:
        for key in path[:-1]:
            block = block[key]
        block[path[-1]] = value

    return change


SETS = ("data", "datasets")
BAD = {
    "column": (
        set_key(*SETS, "pairs", "columns", "chosen", value="winner"),
        "there is no column 'winner', only chosen, rejected",
    ),
    "empty": (spoil_rows(rejected=" "), "'pairs', truth: row 0 has an empty rejected"),
    "label": (spoil_label, "row 3 has the label '1.5'; a label lies between 0 and 1"),
    "revision": (
        set_key("represent", "models", "tiny", "revision", value="main"),
        "give the full revision, 40 hexadecimal",
    ),
    "hash": (
        set_key(*SETS, "pairs", "source", "test", "sha256", value="0" * 64),
        "truncated or altered; .* record the sha256",
    ),
    "sizes": (
        set_key(*SETS, "questions", "sizes", value={"truth": 900, "weak": 48, "test": 32}),
        "different prompts are fewer than the 980",
    ),
    "fewer rows": (
        set_key(*SETS, "pairs", "sizes", value={"truth": 40, "weak": 4000, "test": 32}),
        "'pairs', weak: there are 48 rows, fewer than the 4000 asked for; lower data.datasets.pairs.sizes.weak",
    ),
    "loss": (set_key("strong", "losses", value=["focal"]), "loss 'focal' is not known"),
    "rung": (set_key("strong", "rungs", value=["deep", "high"]), "is 'deep', which is not in represent.ladder"),
    "model": (
        set_key("represent", "ladder", "low", "model", value="big"),
        "ladder.low.model is 'big', which is not in represent.models; choose from tiny",
    ),
    "layer": (set_key("represent", "ladder", "low", "layer", value=7), "tiny has 2 layers and a view takes 7; lower"),
    "file twice": (same_twice, "source.truth is the file of another part too .pairs_weak.jsonl.xz."),
    "prompts": (
        prompts_twice,
        "'pairs', truth: every prompt occurs in another part as well; set weak.also_distinct_prompts",
    ),
    "rate": (
        set_key("weak", "fit", "learning_rate", value=1e38),
        "lower weak.fit.learning_rate in studies/preferences.yaml",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_that_names_it(name: str, study: Callable[..., None]) -> None:
    change, expected = BAD[name]
    study(change)
    with np.errstate(all="ignore"), pytest.raises(InputError, match=expected) as caught:
        run("data", "represent", "weak")
    assert "\n" not in str(caught.value)
