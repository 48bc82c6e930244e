"""Students on pseudo-labels, the same on gold labels (ceiling), and linear students; all of a unit in one tensor.

Gradient descent never leaves the span of the first filters and of the patches that it meets, so that a unit is trained
in a basis of that span (`gaussian_rows`).  Item per point: `student` and `ceiling` (seeds, looks, width, 2 m), filters
in the basis of `common/points.py`; `linear` (seeds, width), a linear student at the end; `trained.*` (seeds, looks):
`loss`, `fitted` of the pseudo-labels, `clean` of those that are right, `righted` among the wrong ones.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.feature_learning.common import digits, points
from pipeline.experiments.feature_learning.common.points import DIGITS, SCARCE, SIGNALS, Net, Point
from pipeline.experiments.feature_learning.settings import Settings
from pipeline.models.patches import Patches, descend, descend_linear, gaussian_rows, rotated

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students of all points; the long units first."""
    bundles = (upstream["data"], upstream["labels"], upstream["represent"]["images"]["patches"])
    units = by_unit(points.points(settings.data), settings.data.seeds)
    fitted = pool.map(fit, {name: (nets, settings, *bundles) for name, nets in units.items()})
    rows: dict[str, list[Arrays]] = {}
    for name, nets in units.items():
        for place, (point, _) in enumerate(nets):
            rows.setdefault(point.name, []).append({key: values[place] for key, values in fitted[name].items()})
    return {name: {key: np.stack([row[key] for row in own]) for key in own[0]} for name, own in rows.items()}


def by_unit(listed: Sequence[Point], seeds: Sequence[int]) -> dict[str, list[Net]]:
    """Networks that are trained in one tensor: all points of a size in the scarce regime, else one network."""
    scarce = sorted((point for point in listed if point.panel == SCARCE), key=lambda point: point[1:3], reverse=True)
    single = {f"{point.name}-{seed}": [(point, seed)] for point in listed if point.panel != SCARCE for seed in seeds}
    together = {
        f"{SCARCE}-{samples}-{dimension}": [(point, seed) for point in own for seed in seeds]
        for (samples, dimension), own in groupby(scarce, key=lambda point: point[1:3])
    }
    return {**single, **together}


def fit(
    nets: Sequence[Net],
    settings: Settings,
    data: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
    images: Array,
) -> Arrays:
    """Networks of one unit, all of one size; arrays as in the bundle, but a row a network."""
    own, seeds = settings.strong, settings.data.seeds
    examples = points.part_of(data, nets, seeds, "student")
    weak = np.stack([labels[point.name]["student"][seeds.index(seed)] for point, seed in nets])
    panel = nets[0][0].panel
    patches, filters = (
        digits_met(nets, examples, settings, images) if panel == DIGITS else met(nets, examples, settings)
    )
    rates = np.array([own.rate * point.rate(own.filters) for point, _ in nets])
    looks = (own.map_steps,) if panel == SCARCE else own.looks
    found: dict[str, list[Array]] = {}
    for role, targets in (("student", weak), ("ceiling", examples["label"])):
        for _, trained, outputs in descend(patches, targets, filters, rates, looks):
            found.setdefault(role, []).append(trained if panel == DIGITS else in_own_basis(trained))
            if role == "student":
                for name, values in training(outputs, weak, examples["label"]).items():
                    found.setdefault(f"trained.{name}", []).append(values)
    stacked = {name: np.stack(values, axis=1) for name, values in found.items()}
    return {**stacked, "linear": linear_student(nets, patches, weak, settings, looks[-1])}


def met(nets: Sequence[Net], examples: Arrays, settings: Settings) -> tuple[list[Patches], Array]:
    """Patches of synthetic points and the first filters: signals, the teacher's noise, then a basis of all the rest."""
    count, own = 2 * settings.strong.filters, settings.strong
    values, filters = [], []
    for (point, seed), kind, along in zip(nets, examples["kind"], examples["along"], strict=True):
        generator, rows = points.stream(point, seed, "student/noise"), 2 * point.samples
        drawn = gaussian_rows(generator, rows + count, point.dimension - SIGNALS - 1)
        noise = points.silenced(drawn[:rows].reshape(2, point.samples, -1), kind)
        values.append(np.concatenate([along[..., None], noise], axis=-1))
        first = generator.standard_normal((SIGNALS + 1, count), dtype=np.float32)
        filters.append(own.scale / np.sqrt(point.dimension) * np.concatenate([first, drawn[rows:].T]))
    shown = points.signals(examples, points.norms(nets))
    return [Patches(shown, 0), Patches(np.stack(values), SIGNALS)], np.stack(filters).astype(np.float32)


def digits_met(nets: Sequence[Net], examples: Arrays, settings: Settings, images: Array) -> tuple[list[Patches], Array]:
    """The same of digits, in pixels."""
    patches, own = digits.patches(nets, examples, images, "student"), settings.strong
    shape = (points.PIXELS, 2 * own.filters)
    drawn = [points.stream(point, seed, "student/filters").standard_normal(shape) for point, seed in nets]
    return patches, (own.scale / np.sqrt(points.PIXELS) * np.stack(drawn)).astype(np.float32)


def in_own_basis(filters: Array) -> Array:
    """Filters (nets, 5 + width, 2 m) with the directions of noise beside the teacher's rotated into their own span."""
    known = SIGNALS + 1
    count = filters.shape[-1]
    spanned = rotated(filters[:, known:])
    padding = np.zeros((len(filters), count - spanned.shape[1], count), np.float32)
    return np.concatenate([filters[:, :known], spanned, padding], axis=1)


def training(outputs: Array, weak: Array, truth: Array) -> Arrays:
    """What became of the pseudo-labels, each (nets,); where a network has no wrong one, `righted` is 0."""
    says, wrong = np.where(outputs > 0, 1, -1), weak != truth
    share = {
        "fitted": (says == weak, np.ones_like(wrong)),
        "clean": (says == weak, ~wrong),
        "righted": (says == truth, wrong),
    }
    found = {name: (hit & among).sum(axis=1) / np.maximum(among.sum(axis=1), 1) for name, (hit, among) in share.items()}
    return {"loss": np.logaddexp(0, -weak * outputs).mean(axis=1), **found}


def linear_student(
    nets: Sequence[Net], patches: Sequence[Patches], weak: Array, settings: Settings, steps: int
) -> Array:
    """A linear network on the same examples and labels, in the basis of the students', (nets, width)."""
    inputs = np.concatenate([group.values.sum(axis=1) for group in patches], axis=-1)
    rates = np.array([settings.strong.rate * point.linear_rate(point.samples) for point, _ in nets])
    ((_, weights),) = descend_linear(inputs, weak, rates, [steps])
    if nets[0][0].panel == DIGITS:
        return weights
    rest = np.zeros((len(nets), 2 * settings.strong.filters), np.float32)
    rest[:, 0] = np.linalg.norm(weights[:, SIGNALS + 1 :], axis=1)
    return np.concatenate([weights[:, : SIGNALS + 1], rest], axis=1)
