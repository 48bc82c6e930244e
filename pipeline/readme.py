"""Write the block of README.md between its two marks from the results, so that no number in it is typed.

python -m pipeline.readme
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.core import artifacts
from pipeline.core.errors import InputError, command_line

VERDICTS = ("holds", "fails", "inconclusive", "not run")
PANELS = ("realizable", "pretrained", "perturbed")
# Each student in the direction in which theory speaks of it.
STUDENTS = {
    ("mixture", "reverse_kl", "reverse"): "projection on a convex class by reverse KL",
    ("softmax", "reverse_kl", "reverse"): "softmax-linear, reverse KL",
    ("softmax", "cross_entropy", "forward"): "softmax-linear, cross-entropy (dual direction)",
}
BEGIN, END = "<!-- generated: python -m pipeline.readme -->", "<!-- end of generated -->"


def main() -> None:
    """Replace the block in README.md of the working folder."""
    path = Path("README.md")
    current(path)
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    text = pattern.sub(lambda _: block(Path()), path.read_text(encoding="utf-8"))
    artifacts.write_bytes(path, text.encode())


def current(path: Path) -> str:
    """The block as it stands.  Raises InputError when a mark is missing."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore it with `git checkout {path}`") from None
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise InputError(f"{path} has lost the marks of its generated block; restore it with `git checkout {path}`")
    return BEGIN + text.split(BEGIN)[1].split(END)[0] + END


def block(root: Path) -> str:
    """The block that the results call for: panels of both papers, then claims."""
    squared, kl = (artifacts.read_item(root / f"results/{name}/metrics.json") for name in ("synthetic", "kl"))
    claims = artifacts.read_item(root / "report/claims.json")
    return "\n".join([BEGIN, "", *_panels(squared), "", *_students(kl), "", *_claims(claims), "", END])


def _panels(metrics: dict[str, Any]) -> list[str]:
    rows = [
        "| panel (head adamw, inputs reused) | correlation of gain and misfit | gain / misfit |",
        "| --- | --- | --- |",
    ]
    for panel, heads in metrics.items():
        summary = heads["adamw"]["reused"]
        rows.append(f"| {panel} | {_interval(summary['correlation'])} | {_interval(summary['gain_over_misfit'])} |")
    return rows


def _students(metrics: dict[str, Any]) -> list[str]:
    rows = [f"| gain / misfit in KL | {' | '.join(PANELS)} |", f"| --- |{' --- |' * len(PANELS)}"]
    for (family, loss, direction), words in STUDENTS.items():
        found = [metrics[panel][family][loss][direction]["fresh"]["gain_over_misfit"] for panel in PANELS]
        rows.append(f"| {words} | {' | '.join(_interval(estimate) for estimate in found)} |")
    return rows


def _claims(claims: list[dict[str, Any]]) -> list[str]:
    counted = Counter((claim["figure"], claim["verdict"]) for claim in claims)
    rows = [f"| claims judged by | {' | '.join(VERDICTS)} |", f"| --- |{' --- |' * len(VERDICTS)}"]
    for figure in sorted({claim["figure"] for claim in claims}):
        rows.append(f"| `{figure}` | {' | '.join(str(counted[figure, verdict]) for verdict in VERDICTS)} |")
    return rows


def _interval(summary: dict[str, float | None]) -> str:
    return f"{_number(summary['mean'])} [{_number(summary['low'])}, {_number(summary['high'])}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    command_line(main)
