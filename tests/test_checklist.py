"""docs/CHECKLIST.md: every row points at something, and everything it points at exists."""

import re

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "docs/CHECKLIST.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| item", "| ---"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def test_all_four_lists_are_there() -> None:
    assert len(ROWS) >= 24 and TEXT.count("## ") == 4


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip().split(":")[0])
def test_what_a_row_points_at_exists(row: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", row)
    commands = re.findall(r"`make ([a-z-]+)`", row)
    assert links or commands
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert set(commands) <= TARGETS
