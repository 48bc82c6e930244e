"""The page in headless Chromium: no request leaves it, every control works by keyboard, and axe finds nothing serious.

Chromium is Debian's: `apt-get install chromium`.  Where there is none these tests are skipped.
"""

import csv
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from pipeline import report
from pipeline.core import artifacts

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1360, "height": 900}}
Open = Callable[..., Page]
EVERY_VERDICT = "yao2025reverse"  # a source whose claims have each verdict at least once
CONTROLS = """[...document.querySelectorAll('a[href], button, select, input, summary, [tabindex="0"]')]
    .filter((each) => each.checkVisibility()).length"""
FOCUS = """(getComputedStyle(document.activeElement).outlineStyle === 'none' && document.activeElement !== document.body
    && !document.querySelector('#plot .focused') ? 'unmarked ' : '') + document.activeElement.tagName"""


class Quiet(SimpleHTTPRequestHandler):
    """A static server that writes no log."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium of this machine."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on this machine; install the package `chromium` (apt-get install chromium)")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page made from this repository's figures and results, in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        (folder / "index.html").write_text(report.build())
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a static server over a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        server.shutdown()


@pytest.fixture
def visit(browser: Browser, site: Path) -> Iterator[Open]:
    """Open the page in a fresh profile; whatever it logs or asks another address for fails the test at its end."""
    contexts, complaints, asked, addresses = [], [], [], set()

    def visit(address: str = "", size: str = "desktop", **options: Any) -> Page:
        address = address or (site / "index.html").as_uri()
        asked_for = address.partition("#")[0]  # without the fragment, which no request carries
        addresses.add(asked_for)
        context = browser.new_context(viewport=WIDTHS[size], reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.route("**/*", lambda route: route.continue_() if route.request.url == asked_for else route.abort())
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == [] and {url for url in asked if not url.startswith("data:")} <= addresses


def focused(page: Page, what: str) -> Any:
    """A property of the element that has the focus."""
    return page.evaluate(f"document.activeElement.{what}")


def shown(page: Page) -> list[str]:
    """Names of the claims in the order in which they stand there."""
    return page.locator(".claims tbody tr:visible code").all_inner_texts()


def control(page: Page, name: str) -> Locator:
    """One control of the form above the claims."""
    return page.locator(f"#filter [name={name}]")


def claims() -> list[dict[str, Any]]:
    return artifacts.read_item(ROOT / "report/claims.json")


@pytest.mark.parametrize(("size", "script"), [("phone", True), ("phone", False), ("desktop", True)])
def test_the_page_is_as_wide_as_the_screen(visit: Open, size: str, script: bool) -> None:
    page = visit(size=size, java_script_enabled=script)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= WIDTHS[size]["width"]


def test_the_theme_follows_the_system_until_the_reader_chooses(visit: Open, site: Path) -> None:
    with served(site) as address:
        page = visit(address, color_scheme="dark")
        dark = _background(page)
        page.get_by_role("button", name="Switch to light colours").click()
        light = _background(page)
        page.reload()
        assert _background(page) == light and sum(light) > 3 * 200 > 3 * 60 > sum(dark)
        page.get_by_role("button", name="Switch to dark colours").click()
        assert _background(page) == dark


def _background(page: Page) -> list[int]:
    text = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return [int(part) for part in text.removeprefix("rgb(").rstrip(")").split(",")]


def test_claims_are_filtered_by_links_lists_and_text(visit: Open) -> None:
    page, rows = visit(), claims()
    papers = [row for row in rows if row["kind"] == "claim"]
    assert shown(page) == [row["id"] for row in papers]
    page.locator(".verdicts .fails a").click()
    assert shown(page) == [row["id"] for row in papers if row["verdict"] == "fails"]
    control(page, "paper").select_option("yao2025")
    assert shown(page) == [row["id"] for row in papers if (row["verdict"], row["paper"]) == ("fails", "yao2025")]
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function(f"document.querySelectorAll('.claims tbody tr:not([hidden])').length === {len(papers)}")
    control(page, "kind").select_option("")
    control(page, "figure").select_option("charikar_fig2b")
    assert shown(page) == [row["id"] for row in rows if row["figure"] == "charikar_fig2b"]
    control(page, "figure").select_option("")
    control(page, "text").fill("REALIZABLE_correlation")
    assert shown(page) == ["realizable_correlation"]
    assert control(page, "count").inner_text() == f"1 of {len(rows)} claims"
    control(page, "text").fill("no such claim")
    assert shown(page) == [] and page.get_by_text("No claim fits").is_visible()
    page.locator(".first").click()
    page.locator("#charikar_fig2b").get_by_role("link", name="judged by: Figure 2b").click()
    assert shown(page) == [row["id"] for row in rows if row["figure"] == "charikar_fig2b"]
    page.locator("#topics summary").click()
    topic = "molecules: gain is close to misfit"
    page.get_by_role("link", name=topic).click()
    assert shown(page) == [row["id"] for row in papers if row["topic"] == topic]


def test_what_is_chosen_stands_in_the_address(visit: Open, site: Path) -> None:
    """A view can be kept, sent and opened again, from disk as well; what an address does not know it leaves alone."""
    page, rows = visit(), claims()
    control(page, "kind").select_option("")
    control(page, "paper").select_option("yao2025")
    control(page, "text").fill("digits")
    page.get_by_role("columnheader", name="Measured").get_by_role("button").click(click_count=2)
    kept, order = page.url, shown(page)
    assert kept.startswith("file:") and "?kind=&paper=yao2025&text=digits&sort=measured&down=1" in kept
    again = visit(kept)
    assert shown(again) == order and 0 < len(order) < len(rows)
    again.get_by_role("button", name="Reset").click()
    again.wait_for_function("!location.search")
    unknown = visit((site / "index.html").as_uri() + "?verdict=maybe&kind=check#claims")
    assert shown(unknown) == [row["id"] for row in rows if row["kind"] == "check"]


def test_links_and_printing_open_what_is_folded(visit: Open, site: Path) -> None:
    page = visit((site / "index.html").as_uri() + "#yao_bounds")
    assert page.locator("#yao_bounds img").is_visible() and not page.locator("#yao_kl_gain img").is_visible()
    page.locator(".claims code", has_text="kl_gain_convex_pretrained").locator("xpath=..").get_by_role("link").click()
    assert page.locator("#yao_kl_gain img").is_visible()
    page.get_by_role("button", name="Open all").click()
    assert page.locator("figure img:visible").count() == page.locator("figure").count()
    page.get_by_role("button", name="Close all").click()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("figure img:visible").count() == 0


def test_claims_are_sorted_by_headings_and_by_the_list_of_a_phone(visit: Open) -> None:
    page, rows = visit(), claims()
    control(page, "kind").select_option("")
    heading = page.get_by_role("columnheader", name="Measured")
    measured = {row["id"]: row["measured"] for row in rows}
    numbers = sorted(value for value in measured.values() if value is not None)
    heading.get_by_role("button").click()
    assert [measured[name] for name in shown(page)][: len(numbers)] == numbers
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert [measured[name] for name in shown(page)][: len(numbers)] == numbers[::-1]
    assert heading.get_attribute("aria-sort") == "descending"
    page.set_viewport_size(WIDTHS["phone"])
    control(page, "sort").select_option("verdict")
    order = ["holds", "fails", "inconclusive", "not run"]
    verdicts = {row["id"]: order.index(row["verdict"]) for row in rows}
    assert [verdicts[name] for name in shown(page)] == sorted(verdicts.values())


def test_pointing_at_the_scatter_names_the_cell(visit: Open) -> None:
    page = visit()
    point = page.locator("#plot .point").nth(3)
    label = point.get_attribute("aria-label")
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert _cell(page) == label
    cell = ("experiment synthetic", "panel pretrained", "weak weak_pretrained", "strong strong_pretrained")
    assert all(name in label for name in (*cell, "task ", "seed ", "gain ", "misfit "))


def _cell(page: Page) -> str:
    names, values = page.locator("#cell dt").all_inner_texts(), page.locator("#cell dd").all_inner_texts()
    return ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def test_arrow_keys_walk_along_the_scatter(visit: Open) -> None:
    page = visit(size="phone")
    page.locator("#view").select_option("molecules-lipop")
    page.locator("#view").press("Tab")
    walked = [_named(page)]
    for key in ("ArrowRight", "ArrowRight", "End"):
        page.keyboard.press(key)
        walked.append(_named(page))
        assert _cell(page) == focused(page, "getAttribute('aria-label')")
    gains = [float(cell["gain"]) for cell in walked]
    assert gains == sorted(gains) and len(set(gains)) == 4 and walked[0]["strong"] == "minimol"
    assert page.locator("#plot .focused").count() == 1
    page.keyboard.press("Tab")
    assert focused(page, "id") == "cells"


def _named(page: Page) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in focused(page, "getAttribute('aria-label')").split(", "))


def test_every_view_of_the_scatter_draws_all_it_says(visit: Open) -> None:
    page = visit()
    views = json.loads(page.locator("#points").text_content())["views"]
    for view in views:
        page.locator("#view").select_option(view["name"])
        assert page.locator("#plot .point").count() == view["shown"]
        assert str(view["cells"]) in page.locator("#shown").inner_text()
        assert page.locator("#plot .equal").count() == 1


def test_downloads_hold_what_they_promise(visit: Open, tmp_path: Path) -> None:
    page = visit()
    cells = list(csv.DictReader(io.StringIO(_downloaded(page, "#cells", tmp_path / "cells"))))
    assert len(cells) == page.locator("#plot .point").count() and cells[0]["weak"] == "weak_pretrained"
    judged = list(csv.DictReader(io.StringIO(_downloaded(page, "#claims [download]", tmp_path / "claims"))))
    assert [row["id"] for row in judged] == [row["id"] for row in claims()]


def test_numbers_of_a_figure_open_from_disk(browser: Browser, tmp_path: Path) -> None:
    for name in ("report", "paper_figures"):
        shutil.copytree(ROOT / name, tmp_path / name)
    page = browser.new_page()
    page.goto((tmp_path / "report/index.html").as_uri())
    page.locator("summary", has_text="Gain against misfit in KL").click()
    page.locator("#yao_kl_gain").get_by_role("link", name="Numbers of: Gain against misfit in KL").click()
    page.wait_for_url("**/paper_figures/yao_kl_gain.json")
    assert json.loads(page.locator("pre").inner_text()) == artifacts.read_item(ROOT / "paper_figures/yao_kl_gain.json")
    page.close()


def _downloaded(page: Page, selector: str, path: Path) -> str:
    with page.expect_download() as waiting:
        page.locator(selector).click()
    waiting.value.save_as(path)
    return path.read_text()


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(visit: Open) -> None:
    page = visit()
    control(page, "kind").select_option("")
    control(page, "paper").select_option(EVERY_VERDICT)  # the other rows are of the same kind
    controls, reached = page.evaluate(CONTROLS), 0
    page.locator("body").press("Tab")
    assert focused(page, "className") == "skip"
    while (now := page.evaluate(FOCUS)) != "BODY" and reached <= controls:
        assert not now.startswith("unmarked"), now
        page.keyboard.press("Tab")
        reached += 1
    assert reached == controls
    page.locator(".skip").press("Enter")
    assert focused(page, "id") == "main"


def test_a_figure_is_enlarged_and_put_away_by_keyboard(visit: Open) -> None:
    page = visit(size="phone")
    page.locator("summary", has_text="risk within a bound").press("Enter")
    button = page.locator("#yao_bounds").get_by_role("button", name="Enlarge")
    button.press("Enter")
    drawn = page.locator("dialog img")
    assert drawn.bounding_box()["width"] > 1000 and drawn.get_attribute("alt")
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible() and "risk within a bound" in focused(page, "textContent")


def test_without_scripts_the_page_is_plain_content(visit: Open) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator(".claims tbody tr:visible").count() == len(claims())
    assert page.locator("figure").count() == page.locator(".card > summary:visible").count() > 0
    page.locator(".card > summary").first.click()
    assert page.locator("figure img:visible").count() == 1
    assert page.locator("button:visible, select:visible, input:visible").count() == 0
    assert "needs JavaScript" in page.locator("noscript p").inner_text()


def test_on_paper_there_are_no_controls_and_no_dark(visit: Open) -> None:
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("button:not(th button):visible, select:visible, nav:visible, #explore:visible").count() == 0
    assert _background(page) == [255, 255, 255] and page.locator(".claims").is_visible()


@pytest.mark.parametrize(("scheme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_axe_finds_nothing_serious(visit: Open, scheme: str, size: str) -> None:
    page = visit(size=size, color_scheme=scheme)
    control(page, "kind").select_option("")
    control(page, "paper").select_option(EVERY_VERDICT)
    for folded in ("#glossary", "#topics", ".card", ".claims tr:not([hidden]) .why"):  # others are of the same kind
        page.locator(f"{folded} > summary").first.click()
    assert set(page.locator(".verdict:visible").all_inner_texts()) == {"holds", "fails", "inconclusive", "not run"}
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    grave = {
        rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]]
        for rule in found
        if rule["impact"] in ("serious", "critical")
    }
    assert grave == {}
