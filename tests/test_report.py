"""Report: one page that stands alone, says what was judged, and does without what is not there yet."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline import claims, figures, report
from pipeline.core import artifacts, config
from pipeline.core.errors import InputError
from pipeline.summary.figures import FIGURES
from pipeline.summary.tables import read
from tests import toy_cells

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy cells with their numbers, claims and stand-ins for the pictures."""
    folder = toy_cells.repository(tmp_path_factory.mktemp("made"), toy_cells.everything())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, numbers in figures.compute(read(config.experiments()), config.intervals()).items():
            artifacts.write_json(artifacts.FIGURES / f"{name}.json", numbers)
            artifacts.write_bytes(artifacts.FIGURES / f"{name}.png", PIXEL)
        claims.main()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that for each test."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def page(folder: Path) -> str:
    """The page, written anew."""
    report.main()
    return (folder / "report/index.html").read_text()


def test_page_stands_alone(folder: Path) -> None:
    text = page(folder)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text)
    assert "<script" not in text and "@import" not in text and "url(" not in text and str(folder) not in text


def test_every_figure_has_words_for_those_who_cannot_see_it(folder: Path) -> None:
    alternatives = re.findall(r'<img src="data:image/png;base64,[^"]+" alt="([^"]*)"', page(folder))
    assert len(alternatives) == len(FIGURES) and all(len(text) > 60 for text in alternatives)


def test_every_claim_stands_there_with_its_verdict(folder: Path) -> None:
    text = page(folder)
    for row in artifacts.read_item(artifacts.RESULTS / "claims.json"):
        assert f"<code>{row['id']}</code>" in text
        assert f'<span class="verdict {row["verdict"].replace(" ", "-")}">{row["verdict"]}</span>' in text


def test_tags_are_balanced(folder: Path) -> None:
    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in {"meta", "link", "img", "br"}:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(page(folder))
    assert not parser.open


def test_deviations_are_rendered_where_there_are_any(folder: Path) -> None:
    assert "No DEVIATIONS.md" in page(folder)
    (folder / "DEVIATIONS.md").write_text("# Changes\n\n| a | b |\n|---|---|\n| 1 | <script>x</script> |\n")
    text = page(folder)
    assert (
        "<h1>Changes</h1>" not in text and ">Changes</h3>" in text and "<td>1</td>" in text and "<script>" not in text
    )


def test_times_of_stages_are_listed(folder: Path) -> None:
    artifacts.write_json(artifacts.RUNTIME / "represent-synthetic.json", {"seconds": 61.25, "workers": 2})
    text = page(folder)
    assert "represent-synthetic" in text and "61.2" in text


def test_missing_picture_is_one_line(folder: Path) -> None:
    (artifacts.FIGURES / "charikar_fig2b.png").unlink()
    with pytest.raises(
        InputError, match="paper_figures/charikar_fig2b.png is missing; run `python -m pipeline.figures`"
    ):
        report.main()
