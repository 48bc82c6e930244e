"""One page with everything.  paper_figures/, results/, published/, YAML files, DEVIATIONS.md -> report/index.html

python -m pipeline.report
"""

import csv
import importlib.metadata
import io
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from pipeline import objects
from pipeline.core import artifacts, config, stage
from pipeline.core.errors import InputError, command_line
from pipeline.figures import FIGURES, drawable
from pipeline.figures.drawing import SEED_COLOURS, SEED_MARKERS
from pipeline.page import contents, pictures, points, surroundings
from pipeline.summary import census, glossary, sources, tables, words
from pipeline.summary.sources import Source

PAGE = artifacts.REPORT / "index.html"
DEVIATIONS = Path("DEVIATIONS.md")
BESIDE = Path("..") / artifacts.FIGURES  # the folder of figures as the page sees it
TEMPLATES = Path(__file__).with_name("page")
LOOK = {"colours": SEED_COLOURS, "markers": SEED_MARKERS}
D3 = "mpld3/js/d3.v5.min.js"  # inside the wheel of mpld3
CLAIM_COLUMNS = (
    *("id", "paper", "kind", "topic", "statement", "wording", "figure"),
    *("question", "statistic", "measured", "low", "high"),
    *("n", "unit", "expected_low", "expected_high", "expected_value", "verdict"),
    *("half_width", "units_needed", "minutes_needed", "why"),
)


def main() -> None:
    """Write the page."""
    started = time.perf_counter()
    artifacts.write_bytes(PAGE, build().encode())
    stage.record_runtime("report", time.perf_counter() - started)


def build() -> str:
    """The page of what lies in the working folder."""
    figures = [figure(name) for name in drawable(tables.available())]
    claims = artifacts.read_item(artifacts.REPORT / "claims.json")
    return page(figures, claims, sources.read(), points.views(tables.read(config.experiments())))


def page(
    figures: list[dict[str, Any]], claims: list[dict[str, Any]], papers: dict[str, Source], views: list[points.View]
) -> str:
    """The page as text; ``figures`` as ``figure`` returns them, ``claims`` as in claims.json, ``papers`` by key."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        interval=words.interval, number=words.number, percent=census.percent, counted=census.counted, bold=bold, zip=zip
    )
    judged = Counter(claim["figure"] for claim in claims)
    titles = contents.titles(objects.read())
    return environment.get_template("page.html.j2").render(
        figures=figures,
        groups=contents.grouped(figures, papers, titles),
        main=next((item for item in figures if item["name"] in contents.MAIN), None),
        numbers={item["name"]: item["numbers"] for item in figures},
        claims=claims,
        claims_csv=pictures.csv_uri(claims_table(claims)),
        judged=judged,
        titles=titles,
        named=sorted(((name, titles[name]) for name in judged), key=lambda pair: pair[1]),
        topics=census.topics(claims),
        glossary=glossary.read(),
        census=census.census(claims),
        tally=contents.tally(claims, papers),
        labels=[(key, source.label) for key, source in papers.items() if any(row["paper"] == key for row in claims)],
        sources=papers,
        order=census.VERDICTS,
        datasets=words.DATASETS,
        views=views,
        first="synthetic-pretrained",
        points=inlined(json.dumps({"views": views, **LOOK}, separators=(",", ":"))),
        library=library(),
        files={path.name: Markup(path.read_text(encoding="utf-8")) for path in TEMPLATES.iterdir() if path.is_file()},
        versions=dict(surroundings.versions()),
        deviations=deviations(),
    )


def figure(name: str) -> dict[str, Any]:
    """Picture, numbers and words of one figure; its files stand beside the page."""
    known, path = FIGURES[name], artifacts.FIGURES / f"{name}.png"
    picture = pictures.picture(path)
    numbers = artifacts.read_item(path.with_suffix(".json"))
    return {
        "name": name,
        "source": known.source,
        "caption": known.caption,
        "numbers": numbers,
        "picture": picture,
        "alternative": f"{known.caption} {known.words(numbers)}",
        "files": BESIDE / name,
    }


def claims_table(claims: list[dict[str, Any]]) -> str:
    """The claims as CSV, intervals and bands in columns of their own."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CLAIM_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for claim in claims:
        low, high = claim["interval"]
        band = {f"expected_{end}": value for end, value in claim["expected"].items()}
        writer.writerow({**claim, "low": low, "high": high, **band})
    return stream.getvalue()


def library() -> Markup:
    """The text of D3, which the wheel of mpld3 brings.  Raises InputError where it does not."""
    try:
        path = Path(str(importlib.metadata.distribution("mpld3").locate_file(D3)))
        return inlined(path.read_text(encoding="utf-8"))
    except (importlib.metadata.PackageNotFoundError, FileNotFoundError):
        raise InputError(
            f"the package mpld3 with {D3} is missing; install it with `pip install -r requirements.lock`"
        ) from None


def inlined(text: str) -> Markup:
    """Text of a script, none of which ends the element around it."""
    return Markup(text.replace("</", "<\\/"))


def bold(sentence: str) -> Markup:
    """A sentence of sources.yaml as HTML."""
    return Markup(MarkdownIt("commonmark", {"html": False}).renderInline(sentence))


def deviations() -> Markup:
    """DEVIATIONS.md as HTML; raw HTML in it is shown, not obeyed."""
    if not DEVIATIONS.exists():
        return Markup("<p>No DEVIATIONS.md in this repository yet.</p>")
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = renderer.parse(DEVIATIONS.read_text(encoding="utf-8"))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):  # below the page's own two levels
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    return Markup(renderer.renderer.render(tokens, renderer.options, {}))


if __name__ == "__main__":
    command_line(main, __doc__)
