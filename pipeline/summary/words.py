"""Numbers as text, the same in figures, claims and report."""

from collections.abc import Iterable, Mapping

DATASETS = {"esol": "ESOL", "freesolv": "FreeSolv", "lipop": "Lipophilicity"}


def written(estimate: Mapping[str, float | None], digits: int = 2) -> str:
    """`0.84 [0.67, 0.92]`; the bracket is left out where there is no interval."""
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return "–"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def number(value: float | None) -> str:
    """Three significant digits; a dash where there is nothing."""
    if value is None:
        return "–"
    return f"{value:.1e}" if value and abs(value) < 0.001 else f"{value:.3g}"


def interval(estimate: Mapping[str, float | None]) -> str:
    """Like ``written``, with three significant digits."""
    if estimate["low"] is None or estimate["high"] is None:
        return number(estimate["value"])
    return f"{number(estimate['value'])} [{number(estimate['low'])}, {number(estimate['high'])}]"


def span(values: Iterable[float]) -> str:
    """Smallest and largest of some values."""
    values = list(values)
    return f"{number(min(values))} to {number(max(values))}"
