"""Files of claims and their sources: groups share keys, and a mistake is one line that names file, claim and key."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline import claims
from pipeline.core.errors import InputError
from pipeline.summary import sources, statements
from tests.conftest import ROOT
from tests.toy_cells import CLAIM

SOURCE = {"label": "A", "title": "On A", "link": "https://example.org/a", "sentence": "A is so."}
SHARED = {
    key: CLAIM[key] for key in ("kind", "wording", "experiment", "cells", "statistic", "over", "expected", "figure")
}
OWN = {"id": "toy", "statement": "A is so."}
Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Work in a folder with these files of claims, each a list of groups, and their sources in this order."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims").mkdir()

    def write(**files: Any) -> None:
        YAML().dump(dict.fromkeys(files, SOURCE), tmp_path / "sources.yaml")
        for name, groups in files.items():
            YAML().dump(groups, tmp_path / f"claims/{name}.yaml")

    return write


def refused() -> str:
    """The one line that refuses what lies in the working folder."""
    with pytest.raises(InputError) as error:
        claims.read()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_claim_takes_over_what_its_group_shares(write: Write) -> None:
    write(b=[{**SHARED, "claims": [OWN]}], a=[{"claims": [{**CLAIM, "id": "whole"}]}])
    grouped, whole = claims.read()
    assert (grouped.paper, whole.paper) == ("b", "a")
    assert grouped.model_dump(exclude={"id", "paper", "statement"}) == whole.model_dump(
        exclude={"id", "paper", "statement"}
    )


def test_what_a_claim_gives_itself_counts(write: Write) -> None:
    own = {"cells": {"head": "exact", "seed": 0}, "expected": {"high": 2.0}, "figure": "charikar_fig2b"}
    write(a=[{**SHARED, "why": "Because.", "claims": [{**OWN, **own}, {**OWN, "id": "other", "why": ""}]}])
    first, second = claims.read()
    assert first.cells == {"panel": "realizable", "head": "exact", "inputs": "reused", "seed": 0}
    assert (first.expected.low, first.expected.high, first.figure, first.why) == (
        None,
        2.0,
        "charikar_fig2b",
        "Because.",
    )
    assert (second.cells, second.figure, second.why) == (CLAIM["cells"], CLAIM["figure"], "")


def test_against_are_the_cells_but_for_what_it_changes(write: Write) -> None:
    shared = {**SHARED, "against": {"head": "exact"}}
    write(a=[{**shared, "claims": [{**OWN, "cells": {"seed": 0}, "against": {"inputs": "fresh"}}]}])
    (claim,) = claims.read()
    assert claim.wanted("cells") == {"panel": "realizable", "head": "adamw", "inputs": "reused", "seed": 0}
    assert claim.wanted("against") == {"panel": "realizable", "head": "exact", "inputs": "fresh", "seed": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"over": "test_row"},
            "toy.over is 'test_row'; over it only mean_accuracy_gain, without against, has an interval",
        ),
        (
            {"over": "test_row", "statistic": "mean_accuracy_gain", "against": {"seed": 0}},
            "toy.over is 'test_row'; over it",
        ),
        ({"statistic": "corelation"}, "toy.statistic is 'corelation'; choose from accuracy_lost"),
        ({"beside": "corelation"}, "toy.beside is 'corelation'; choose from accuracy_lost"),
        ({"kind": "guess"}, "toy.kind is 'guess'"),
        ({"question": "mode"}, "toy.question is 'mode'"),
        ({"over": None}, "toy.over is None; question mean needs over"),
        ({"question": "universal", "expected": {"high": 0.0}}, "toy.over is 'seed'; question universal has no use for"),
        ({"question": "share"}, "toy.hit is None; question share needs hit"),
        ({"hit": {"low": 0.0}}, "toy.hit is {'low': 0.0}; question mean has no use for hit"),
        ({"question": "ratio"}, "toy.divided_by is None; question ratio needs divided_by"),
        ({"divided_by": "mean_gain"}, "toy.divided_by is 'mean_gain'; question mean has no use for divided_by"),
        (
            {"question": "ratio", "divided_by": "mean_misfit", "against": {"seed": 0}},
            "toy.divided_by is 'mean_misfit'; a ratio is one of the same cells; remove against",
        ),
        (
            {"question": "median", "row_error": "gain_error"},
            "toy.row_error is 'gain_error'; question median has no use for row_error",
        ),
        ({"against": {"panel": ["main"]}}, "toy.against.panel is ['main']; give one text, one number"),
        ({"question": "law", "why": "So."}, "toy.predicted is None; question law needs predicted"),
        ({"predicted": "mean_gain"}, "toy.predicted is 'mean_gain'; question mean has no use for predicted"),
        ({"question": "prediction"}, "question prediction, and no other, expects a value"),
        ({"expected": {"value": 1.0}}, "question prediction, and no other, expects a value"),
        ({"expected": {"value": 1.0, "low": 0.0}}, "give low, high or both, or value alone"),
        ({"question": "equivalence"}, "toy.why is ''; question equivalence states here the reason for its margin"),
        ({"question": "equivalence", "expected": {"low": 0.0}, "why": "So."}, "question equivalence needs both ends"),
        ({"teachers": "good"}, "toy.teachers is 'good'"),
        ({"wording": "sure"}, "toy.wording is 'sure'"),
        ({"expected": {}}, "toy.expected is {}; give low, high or both"),
        ({"expected": {"low": 2.0, "high": 1.0}}, "low 2 is above high 1"),
        ({"expected": {"low": "0.9"}}, "toy.expected.low is '0.9'"),
        ({"cells": {"panel": None}}, "toy.cells.panel is None; give one text, one number, true or false"),
        ({"cells": {"panel": ["main", "noise"]}}, "toy.cells.panel is ['main', 'noise']; give one text"),
        ({"cells": "main"}, "toy.cells is 'main'"),
        ({"measured": 0.9}, "toy.measured is not a known key"),
        ({"agianst": {}}, "toy.agianst is not a known key; did you mean against?"),
        ({"paper": "b"}, "toy.paper is not a known key; remove it, the file's name says it"),
        ({"figure": "figure_9"}, "toy.figure is 'figure_9'; choose from "),
        ({"awaits": ""}, "toy.awaits is ''"),
    ],
)
@pytest.mark.parametrize("level", ["claim", "group"])
def test_bad_values_name_file_claim_and_key(changes: dict[str, Any], message: str, level: str, write: Write) -> None:
    shared, own = {**SHARED, **changes}, OWN
    if level == "claim":
        shared, own = {}, {**CLAIM, **changes}
    write(a=[{**shared, "claims": [own]}])
    assert refused().startswith("claims/a.yaml: ") and message in refused()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "claims/a.yaml holds no list of groups"),
        ("id: toy", "claims/a.yaml holds no list of groups"),
        ("a: [", "claims/a.yaml is not valid YAML"),
        ("- 3", "claims/a.yaml: group 1 has no list under `claims`; give it one"),
        ("- {experiment: kl}", "claims/a.yaml: group 1 has no list under `claims`"),
        ("- {experiment: kl, claims: []}", "claims/a.yaml: group 1 has no list under `claims`"),
        ("- claims: [3]", "claims/a.yaml: claim 1 of group 1 is 3; give it keys"),
        ("- claims: [{id: lonely}]", "claims/a.yaml: lonely.statement is missing; add it (`git diff"),
        (
            "- claims: [{idd: lonely}]",
            "claims/a.yaml: claim 1 of group 1.idd is not a known key, and claim 1 of group 1",
        ),
        ("- claims: [{statement: A.}]", "claims/a.yaml: claim 1 of group 1.id is missing"),
        ("- claims: [{id: late, cells: {since: 2020-01-01}}]", "claims/a.yaml: late holds a value that is no plain"),
    ],
)
def test_bad_file_is_one_line(text: str, message: str, write: Write) -> None:
    write(a=[])
    Path("claims/a.yaml").write_text(text)
    assert refused().startswith(message)


@pytest.mark.parametrize("files", [{"a": 2}, {"b": 1, "a": 1}])
def test_two_claims_of_one_name(files: dict[str, int], write: Write) -> None:
    write(**{name: [{"claims": [CLAIM]}] * count for name, count in files.items()})
    assert refused() == f"claims/a.yaml: toy.id is 'toy'; claims/{[*files][0]}.yaml has it too; give each claim its own"


def test_a_file_of_no_source(write: Write) -> None:
    write(a=[{"claims": [CLAIM]}])
    YAML().dump([{"claims": [{**CLAIM, "id": "other"}]}], Path("claims/c.yaml"))
    assert refused() == "claims/c.yaml is of no source: sources.yaml has a; add c there, or rename the file"


def test_a_source_of_no_file(write: Write) -> None:
    write(a=[{"claims": [CLAIM]}], b=[])
    Path("claims/b.yaml").unlink()
    assert refused().startswith(
        "claims/b.yaml is missing; restore it with `git checkout claims/b.yaml`, or drop b from"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": ""}, "sources.yaml: a.label is ''"),
        ({"link": "arxiv.org"}, "sources.yaml: a.link is 'arxiv.org'"),
        ({"main": "yes"}, "sources.yaml: a.main is 'yes'"),
        ({"year": 2024}, "sources.yaml: a.year is not a known key; remove it or correct its spelling"),
        ({"mian": True}, "sources.yaml: a.mian is not a known key; did you mean main?"),
    ],
)
def test_bad_sources_name_file_and_key(changes: dict[str, Any], message: str, write: Write) -> None:
    write(a=[{"claims": [CLAIM]}])
    YAML().dump({"a": {**SOURCE, **changes}}, Path("sources.yaml"))
    assert refused().startswith(message)


def test_the_papers_that_are_reproduced_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert [key for key, source in sources.read().items() if source.main] == [*sources.read()][:2]
    assert [*sources.files()] == [*sources.read()]


def test_every_key_is_explained_beside_the_claims() -> None:
    text = (ROOT / "claims/README.md").read_text()
    assert all(f"| `{key}` |" in text for key in statements.Claim.model_fields if key != "paper")


def test_the_command_explains_itself_and_takes_nothing_else() -> None:
    command = [sys.executable, "-m", "pipeline.claims"]
    shown = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0 and "claims/<source>.yaml" in shown.stdout
    assert subprocess.run([*command, "claims"], cwd=ROOT, capture_output=True, text=True).returncode == 2


LEANS = re.compile(
    r"^(So|And|But|Or|The same|Also|It|They|Its|Their|Over the same|Not|There)\b"
    r"|\b(that|this|these) (student|variance|bound)\b|\b(also|as well|still)\b|\binstead\b(?! of)"
)


def test_every_statement_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under any sort and any filter: none leans on the one before it, and no two are the same."""
    monkeypatch.chdir(ROOT)
    known = claims.read()
    assert [claim.statement for claim in known if LEANS.search(claim.statement)] == []
    assert [claim.id for claim in known if re.search(r"\b(next row|rows? (above|below))\b", claim.why)] == []
    assert len({claim.statement for claim in known}) == len(known)


@pytest.mark.parametrize(
    "text", ["So it is with pretrained representations.", "The error of that student is larger.", "It holds as well."]
)
def test_one_that_leans_is_found(text: str) -> None:
    assert LEANS.search(text)


def test_every_claim_of_a_paper_has_a_topic_of_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    topics = {claim.topic for claim in claims.read() if claim.kind == "claim"}
    assert None not in topics and max(len(topic or "") for topic in topics) <= 80 and len(topics) <= 60
