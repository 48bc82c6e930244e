"""What README.md says: each sentence of what came out names its claims and has their numbers; its tables add up."""

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from pipeline import appendix, readme
from pipeline.core import artifacts
from pipeline.core.errors import InputError
from pipeline.summary import glossary
from pipeline.summary.census import VERDICTS, census, topics
from tests.conftest import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
JUDGED = {row["id"]: row for row in json.loads((ROOT / "report/claims.json").read_text(encoding="utf-8"))}
OUTCOMES = re.search(r"^- \*\*Networks\.\*\*.*?(?=\n\n)", TEXT, re.M | re.S)
NUMBER = r"-?\d*\.?\d+"
ESTIMATE = re.compile(rf"({NUMBER})(?: %)? \[({NUMBER}), ({NUMBER})\]")


def sentences() -> list[str]:
    """Those of the list under "What came out", without its bold headings."""
    assert OUTCOMES
    text = re.sub(r"- \*\*\w+\.\*\*", "", re.sub(r"\s+", " ", OUTCOMES[0]))
    return [part.strip() for part in re.split(r"(?<=[^.])\. +(?=[A-Z])", text)]


def named(sentence: str) -> list[str]:
    return re.findall(r"`(\w+)`", sentence)


def shown(numbers: tuple[str, ...], row: dict[str, Any]) -> bool:
    """Whether a value with its interval is a claim's, rounded as written: as it is or in percent, of either sign."""
    if None in row["interval"]:
        return False
    digits = [len(text.partition(".")[2]) for text in numbers]
    for sign, scale in product((1, -1), (1, 100)):
        low, high = sorted(sign * end for end in row["interval"])
        found = (sign * row["measured"] * scale, low * scale, high * scale)
        if all(
            f"{value:.{n}f}" == f"{float(text):.{n}f}" for value, text, n in zip(found, numbers, digits, strict=True)
        ):
            return True
    return False


def test_the_list_is_found_and_has_many_sentences() -> None:
    assert len(sentences()) >= 20 and sum(len(ESTIMATE.findall(text)) for text in sentences()) >= 15


@pytest.mark.parametrize("sentence", sentences(), ids=lambda text: text[:40])
def test_a_sentence_names_its_claims_and_shows_their_numbers(sentence: str) -> None:
    assert named(sentence) and not set(named(sentence)) - JUDGED.keys()
    for numbers in ESTIMATE.findall(sentence):
        assert any(shown(numbers, JUDGED[name]) for name in named(sentence)), numbers


def test_a_number_that_is_no_claims_is_found() -> None:
    row = {"measured": -0.3476, "interval": [-0.4056, -0.2896]}
    assert shown(("35", "29", "41"), row) and shown(("-.35", "-.41", "-.29"), row)
    assert not shown(("36", "29", "41"), row) and not shown(("35", "29", "40"), row)


def test_topics_add_up_to_the_papers_claims() -> None:
    papers = census([*JUDGED.values()])[0]
    assert papers.kind == "claim"
    counted = {
        verdict: sum(row["verdict"] == verdict for one in topics([*JUDGED.values()]) for row in one.rows)
        for verdict in VERDICTS
    }
    assert counted == {verdict: papers.verdicts[verdict] for verdict in VERDICTS}
    assert all(f"| {one.words} |" in TEXT for one in topics([*JUDGED.values()]))


def test_the_blocks_of_both_pages_are_what_results_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for path, made in readme.pages(Path()).items():
        assert readme.current(path, readme.PAGES[path]) == made


def test_the_glossary_has_ten_lines_and_the_words_of_the_tables() -> None:
    terms = glossary.read(ROOT / glossary.GLOSSARY)
    assert len(terms) == 10
    words = {word for term in terms for word in re.findall(r"\w+", term)}
    wanted = "t w s gain misfit epsilon rho panel head inputs cell ECE PGR"
    assert words >= {*wanted.split()}


def test_a_term_without_a_meaning_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "glossary.yaml").write_text("gain:\n")
    with pytest.raises(InputError, match="glossary.yaml: gain is None; say what it means"):
        glossary.read(tmp_path / "glossary.yaml")


PAGES = [ROOT / "README.md", *(path for part in ("docs", "data", "claims") for path in (ROOT / part).rglob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_say_that_they_want_the_environment(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if re.search(r"^    (\w+=\S+ )?(python|dvc|pytest)\b|`(\w+=\S+ )?(python -m|dvc|pytest) ", text, re.M):
        assert ".venv" in text


def test_the_costs_are_those_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Measured from what lies in a folder: seconds of stages and bytes they left; one that has not run is told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(appendix.experiments, "studies", lambda: ("long",))
    for path, size in ((".venv/pyvenv.cfg", 3), (".venv/.installed", 4), ("artifacts/weak/toy/a.bin", 5)):
        artifacts.write_bytes(Path(path), b"x" * size)
    artifacts.write_bytes(Path("artifacts/results/long/cells.csv"), b"a\n")
    artifacts.write_bytes(Path("artifacts/labels/long/b.bin"), b"x" * 6)
    stages = [f"{verb}-toy" for verb in appendix.experiments.VERBS] + [*appendix.ACROSS]
    for number, stage in enumerate(stages):
        artifacts.write_json(appendix.RUNTIME / f"{stage}.json", {"seconds": float(number), "workers": 2})
    found = appendix.measure(["toy"])
    assert sum(found["experiments"]["toy"]["seconds"].values()) == sum(range(6)) and found["across"]["report"] == 8
    assert found["experiments"]["toy"]["bytes"] == 5 and found["studies"] == {"long": 6}
    assert found["environment"]["bytes"] == 7
    (appendix.RUNTIME / "weak-toy.json").unlink()
    with pytest.raises(InputError, match="weak-toy.json is missing: that stage has not run here; run `make reproduce`"):
        appendix.measure(["toy"])


def test_every_experiment_of_a_claim_and_every_command_stands_in_the_appendix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / appendix.PAGE).read_text(encoding="utf-8")
    numbered = re.findall(r"^\| (E\d+) \| `([^`]+)` \| ([^|]+) \|", text, re.M)
    assert len({number for number, _, _ in numbered}) == len(numbered) >= 9
    asked = {row["experiment"] for row in JUDGED.values()} - {"counterexample"}
    for name in asked:
        assert any(command in appendix.made_by([name]) for _, command, _ in numbered), name
    seconds = artifacts.read_item(ROOT / "published/realizability/manifest.json")["seconds"].values()
    line = next(time for _, command, time in numbered if command.endswith("realizability"))
    assert line == f"{sum(seconds) / 60:.1f} min"
