"""Report: one page that stands alone, says what was judged, and does without what is not there yet."""

import csv
import io
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image

from pipeline import claims, figures, objects, report
from pipeline.core import artifacts, config
from pipeline.core.errors import InputError
from pipeline.figures import FIGURES, drawable
from pipeline.page import contents, pictures, points
from pipeline.summary import glossary, sources
from pipeline.summary.sources import Source
from pipeline.summary.tables import available, read
from tests import toy_cells
from tests.conftest import ROOT

VOID = {"meta", "link", "img", "br", "input"}
LARGEST = 6_000_000  # bytes of the page, which is in git


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy cells with their numbers, claims and stand-ins for the pictures."""
    folder = toy_cells.repository(tmp_path_factory.mktemp("made"), toy_cells.everything())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        cells = read(config.experiments())
        for name, numbers in figures.compute(FIGURES, cells, config.intervals()).items():
            artifacts.write_json(artifacts.FIGURES / f"{name}.json", numbers)
            Image.new("RGB", (30, 20), "white").save(artifacts.FIGURES / f"{name}.png")
        claims.main()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that for each test."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


class Reader(HTMLParser):
    """Elements of a page in order, each as its tag and attributes; complains of an element closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(folder: Path) -> str:
    """The page, written anew."""
    report.main()
    return (folder / "report/index.html").read_text()


def elements(text: str, tag: str) -> list[dict[str, str | None]]:
    return [attributes for name, attributes in Reader(text).elements if name == tag]


def test_page_stands_alone(folder: Path) -> None:
    text = page(folder)
    for _, attributes in Reader(text).elements:
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith(("data:", "#", "https://arxiv.org/", "../paper_figures/"))
    assert "@import" not in text and "url(" not in text.split("<body>")[0] and str(folder) not in text


def test_tags_are_balanced_and_names_are_used_once(folder: Path) -> None:
    reader = Reader(page(folder))
    named = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert not reader.open and len(named) == len(set(named))


def test_links_within_the_page_lead_somewhere(folder: Path) -> None:
    text = page(folder)
    named = {attributes.get("id") for _, attributes in Reader(text).elements}
    links = {(attributes["href"] or "")[1:] for attributes in elements(text, "a") if attributes["href"][:1] == "#"}
    shown = {row["figure"] for row in artifacts.read_item(artifacts.REPORT / "claims.json")} & named
    assert links <= named and links >= shown > {"charikar_fig2b", "yao_kl_gain"}


def test_every_figure_has_words_of_its_own_for_those_who_cannot_see_it(folder: Path) -> None:
    pictures = [attributes for attributes in elements(page(folder), "img") if "src" in attributes]
    drawn = [attributes for attributes in pictures if not (attributes["alt"] or "").endswith(": to the figure")]
    assert len(pictures) == len(drawn) + 1  # the first screen's
    assert len(drawn) == len(FIGURES)
    for name, text in zip(sorted(FIGURES), sorted(drawn, key=_place), strict=True):
        numbers = artifacts.read_item(artifacts.FIGURES / f"{name}.json")
        assert len(text["alt"]) > len(FIGURES[name].caption) + 60 and text["alt"] != numbers["reading"]


def _place(attributes: dict[str, str | None]) -> str:
    return next(name for name in FIGURES if (attributes["alt"] or "").startswith(FIGURES[name].caption))


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"rows"}))  # it shows counts of rows, nothing measured
def test_words_of_a_figure_follow_its_numbers(made: Path, name: str) -> None:
    numbers = artifacts.read_item(made / artifacts.FIGURES / f"{name}.json")
    changed = {**doubled(numbers), "reading": numbers["reading"]}
    assert FIGURES[name].words(numbers) != FIGURES[name].words(changed)


def doubled(value: Any) -> Any:
    """The same numbers, each fraction twice as large."""
    if isinstance(value, dict):
        return {key: doubled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [doubled(item) for item in value]
    return 2 * value if isinstance(value, float) else value


def test_a_new_figure_gives_its_reading(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    known = FIGURES["yao_bounds"]._replace(words=figures.reading, caption="Caption.")
    monkeypatch.setitem(FIGURES, "yao_bounds", known)
    shown = report.figure("yao_bounds")
    assert shown["alternative"] == f"Caption. {shown['numbers']['reading']}"


def test_figures_are_grouped_by_their_source_and_unknown_ones_apart() -> None:
    listed = {key: Source(label=key.upper(), title="T", link="https://x", sentence="S.") for key in "abc"}
    drawn = [{"name": name, "source": source} for name, source in zip((1, 2, 3, 4), "ncac", strict=True)]
    grouped = contents.grouped(drawn, listed, {4: "Figure 1, shown", 2: "Shown"})
    assert [(label, [figure["name"] for figure in group]) for label, group in grouped] == [
        ("A", [3]),
        ("C", [4, 2]),
        ("n", [1]),
    ]


def test_every_figure_stands_in_its_group_under_a_name_in_words(folder: Path) -> None:
    text = page(folder)
    titles = contents.titles(objects.read())
    assert titles["charikar_fig2b"].startswith("Figure 2b, gain against misfit") and titles.keys() == {*FIGURES}
    for name, title in titles.items():
        summary = f'<summary>{escape(title)}</summary>\n<figure id="{name}">'
        assert summary in text and f">{name}</option>" not in text and "_" not in title
    group = text[text.index("<h3>Charikar et al. 2024</h3>") : text.index("<h3>Yao et al. 2025</h3>")]
    assert '<figure id="charikar_fig2b">' in group


def test_the_glossary_is_the_one_of_the_readme(folder: Path) -> None:
    text = page(folder)
    readme = (ROOT / "README.md").read_text()
    for term, meaning in glossary.read().items():
        assert f"<dt>{term}</dt><dd>{report.bold(meaning)}</dd>" in text and f"| {term} | {meaning} |" in readme


def test_the_page_is_short_before_anything_is_opened(folder: Path) -> None:
    reader = Reader(page(folder))
    assert not any("open" in attributes for tag, attributes in reader.elements if tag == "details")
    why = sum(bool(row["why"]) for row in artifacts.read_item(artifacts.REPORT / "claims.json"))
    assert sum(attributes.get("class") == "why" for tag, attributes in reader.elements if tag == "details") >= why


def test_numbers_and_pdf_of_a_figure_lie_beside_the_page(folder: Path) -> None:
    links = {attributes["href"] for attributes in elements(page(folder), "a")}
    for name in FIGURES:
        for suffix in ("json", "pdf"):
            link = f"../paper_figures/{name}.{suffix}"
            assert link in links
            assert (ROOT / "report" / link).resolve().exists() or name not in drawable(available(ROOT))


def test_the_download_of_claims_holds_them(folder: Path) -> None:
    links = {a["download"]: a["href"] for a in elements(page(folder), "a") if "download" in a}
    rows = list(csv.DictReader(io.StringIO(unquote(links["claims.csv"].partition(",")[2]))))
    judged = artifacts.read_item(artifacts.REPORT / "claims.json")
    assert [(row["id"], row["verdict"]) for row in rows] == [(row["id"], row["verdict"]) for row in judged]
    assert [row["low"] for row in rows] == [
        "" if row["interval"][0] is None else str(row["interval"][0]) for row in judged
    ]


def test_a_link_to_a_table_survives_quotes_and_percent_signs() -> None:
    link = pictures.csv_uri("it's 5 % & <b>#1</b> “quoted”")
    assert not set("'<># ") & set(link) and "%27s%205%20%25" in link


def test_a_picture_keeps_its_colours_and_loses_bytes(tmp_path: Path, generator: np.random.Generator) -> None:
    palette = generator.integers(0, 256, (40, 3), dtype=np.uint8)
    drawn = palette[generator.integers(0, 40, (60, 80)).repeat(4, axis=0).repeat(4, axis=1)]
    Image.fromarray(drawn).save(tmp_path / "flat.png")
    shown = pictures.picture(tmp_path / "flat.png")
    content = pictures.base64.b64decode(shown.source.partition(",")[2])
    assert (shown.width, shown.height) == (320, 240) and len(content) < (tmp_path / "flat.png").stat().st_size
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")), drawn)


@pytest.fixture(scope="module")
def drawn() -> list[dict[str, Any]]:
    """The figures of this repository."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return [report.figure(path.stem) for path in sorted(artifacts.FIGURES.glob("*.json"))]


@pytest.mark.parametrize("further", [0, 8])
def test_the_page_is_small_enough_for_git(
    further: int, drawn: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with eight figures more than today, as large as the largest."""
    monkeypatch.chdir(ROOT)
    largest = max(drawn, key=lambda figure: len(figure["picture"].source))
    shown = drawn + [{**largest, "name": f"{largest['name']}_{number}"} for number in range(further)]
    judged = artifacts.read_item(artifacts.REPORT / "claims.json")
    text = report.page(shown, judged, sources.read(), points.views(read(config.experiments())))
    assert len(elements(text, "figure")) == len(shown) and len(text.encode()) < LARGEST


def test_the_page_in_git_is_small_enough_and_its_pictures_large_enough(drawn: list[dict[str, Any]]) -> None:
    assert (ROOT / "report/index.html").stat().st_size < LARGEST
    assert min(figure["picture"].width for figure in drawn) > 1000


def test_every_claim_stands_there_with_its_verdict(folder: Path) -> None:
    text = page(folder)
    for row in artifacts.read_item(artifacts.REPORT / "claims.json"):
        assert f"<code>{row['id']}</code>" in text
        assert f'<span class="verdict {row["verdict"].replace(" ", "-")}">{row["verdict"]}</span>' in text


def test_verdicts_are_counted_by_source_as_sources_are_listed() -> None:
    listed = {key: Source(label=key.upper(), title="T", link="https://x", sentence="S.") for key in "abc"}
    rows = [("c", "holds", "claim"), ("a", "holds", "claim"), ("c", "fails", "claim"), ("c", "holds", "claim")]
    rows += [("b", "holds", "check"), ("c", "holds", "ours")]  # not of the papers
    counted = contents.tally([{"paper": key, "verdict": verdict, "kind": kind} for key, verdict, kind in rows], listed)
    assert [(row["label"], dict(row["counts"])) for row in counted] == [
        ("A", {"holds": 1}),
        ("C", {"holds": 2, "fails": 1}),
    ]


def test_every_source_stands_there_with_its_link_and_the_main_ones_first(folder: Path) -> None:
    text = page(folder)
    for source in sources.read().values():
        assert text.count(f'<a href="{source.link}">{source.title}</a>') == (2 if source.main else 1)
        assert text.count(str(report.bold(source.sentence))) == (2 if source.main else 1)
    assert "<strong>gain</strong>" in report.bold("the **gain** of <b>") and "<b>" not in report.bold("<b>")


def test_points_are_those_of_the_figures(folder: Path) -> None:
    views = {view["name"]: view for view in points.views(read(config.experiments()))}
    for letter, panel in zip("abc", ("realizable", "pretrained", "perturbed"), strict=True):
        drawn = artifacts.read_item(artifacts.FIGURES / f"charikar_fig2{letter}.json")["protocols"][0]["seeds"]
        shown = views[f"synthetic-{panel}"]["columns"]
        for axis in ("gain", "misfit"):
            expected = [value for seed in drawn for value in seed[axis]]
            np.testing.assert_allclose(sorted(shown[axis]), sorted(expected), rtol=1e-4, atol=1e-8)
    for drawn in artifacts.read_item(artifacts.FIGURES / "yao_kl_gain.json")["panels"]:
        shown = views[f"kl-{drawn['panel']}-{drawn['class']}-{drawn['loss']}"]["columns"]
        expected = [value for seed in drawn["seeds"] for value in seed["gain"]]
        np.testing.assert_allclose(sorted(shown["gain"]), sorted(expected), rtol=1e-4, atol=1e-8)
    assert {"molecules-esol", "molecules-freesolv", "molecules-lipop"} <= set(views)


def test_a_crowded_view_is_thinned_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "LARGEST", 7)
    for view in points.views(read(config.experiments())):
        assert view["shown"] <= 7 < view["cells"] and len(view["columns"]["gain"]) == view["shown"]


def test_an_experiment_without_cells_has_no_view() -> None:
    assert points.views({}) == []


def test_deviations_are_rendered_where_there_are_any(folder: Path) -> None:
    assert "No DEVIATIONS.md" in page(folder)
    (folder / "DEVIATIONS.md").write_text("# Changes\n\n| a | b |\n|---|---|\n| 1 | <script>x</script> |\n")
    text = page(folder)
    assert "<h1>Changes</h1>" not in text and ">Changes</h3>" in text and "<td>1</td>" in text
    assert "<script>x" not in text


def test_times_leave_no_trace(folder: Path) -> None:
    """The page is in git: a slower run must not change it."""
    before = page(folder)
    artifacts.write_json(artifacts.RUNTIME / "represent-synthetic.json", {"seconds": 61.25, "workers": 2})
    assert page(folder) == before


def test_missing_picture_is_one_line(folder: Path) -> None:
    (artifacts.FIGURES / "charikar_fig2b.png").unlink()
    with pytest.raises(
        InputError, match="paper_figures/charikar_fig2b.png is missing; run `python -m pipeline.figures`"
    ):
        report.main()


def test_damaged_picture_is_one_line(folder: Path) -> None:
    (artifacts.FIGURES / "charikar_fig2b.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match="paper_figures/charikar_fig2b.png is not a readable picture; run"):
        report.main()


def test_missing_library_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "D3", "mpld3/js/none.js")
    with pytest.raises(InputError, match="install it with `pip install -r requirements.lock`"):
        report.main()
