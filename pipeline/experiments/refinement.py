"""Refinement of weak labels in a mixture of concepts, exact: the simulation that Somerstep et al. 2024 leave out.

Features are N(0, I), so an error is a squared distance of coefficients.  Concepts are coordinate vectors: a rotation
would change no number.  `limit` students have seen endless labels, `sample` students `labels.samples` of them.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, Evaluate, Fraction, NonNegative, Positive, Seeds, Word
from pipeline.core.parallel import Pool
from pipeline.experiments.refined import Angle, WeakPairs, means, room
from pipeline.measures import squared
from pipeline.summary.metrics import nested
from pipeline.theory import refinement

Array = np.ndarray
DRAWLESS = ("naive", "untuned")  # in the limit of endless labels
KEYS = ("method", "n_icl", "eta", "dependence")
TOLERANCE = (1e-8, 1e-5, "sums of exponentials in float64; not measured on another processor")


class Case(Block):
    """A teacher in a mixture; what the fields mean stands in theory/refinement.py."""

    concepts: Annotated[int, Field(ge=2)]
    dimension: Count
    angle: Angle
    noise: Positive
    deviation: Positive

    @model_validator(mode="after")
    def _has_room(self) -> "Case":
        room(self.concepts, self.dimension)
        return self

    @property
    def teacher(self) -> refinement.Teacher:
        """The teacher as theory/refinement.py takes it."""
        return refinement.Teacher(self.angle, self.noise, self.deviation)


class Data(Block):
    """Cases by name, and the seeds of all draws."""

    seeds: Seeds
    cases: Annotated[dict[Word, Case], Field(min_length=1)]


class Dependence(Block):
    """Cases whose contexts are also made dependent, and by how much."""

    cases: tuple[Word, ...]
    rhos: Annotated[tuple[Fraction, ...], Field(min_length=1)]
    contexts: Count


class Labels(Block):
    """Weak pairs in context; contexts behind each expectation; refined labels of a `sample` student."""

    n_icl: WeakPairs
    contexts: Count
    samples: Count
    sampled_n_icl: Annotated[int, Field(ge=1)]  # the longest context of a `sample` student
    dependence: Dependence


class Strong(Block):
    """Strengths of the pull to the source."""

    etas: Annotated[tuple[NonNegative, ...], Field(min_length=1)]


class Settings(Block):
    """The file studies/refinement.yaml."""

    data: Data
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _fits(self) -> "Settings":
        for name in self.labels.dependence.cases:
            if name not in self.data.cases:
                raise ValueError(f"labels.dependence.cases names {name}; data.cases has {', '.join(self.data.cases)}")
        for name, case in self.data.cases.items():
            if self.labels.samples <= case.dimension:
                raise ValueError(
                    f"labels.samples {self.labels.samples} are too few for least squares in the {case.dimension} "
                    f"dimensions of {name}; raise it above them"
                )
        return self


def data(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """An item a case: concepts (K, d), the first being the target, and a direction off them (d,)."""
    return {
        name: {"concepts": np.eye(case.dimension)[: case.concepts], "off": np.eye(case.dimension)[case.concepts]}
        for name, case in settings.data.cases.items()
    }


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """The un-tuned strong model of each case: the mean concept, (d,)."""
    return {name: {"source": mixture["concepts"].mean(axis=0)} for name, mixture in upstream["data"].items()}


def weak(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """The teacher's concept of each case, (d,)."""
    return {
        name: {"weak": refinement.weak_concept(**upstream["data"][name], angle=case.angle)}
        for name, case in settings.data.cases.items()
    }


def labels(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak and refined labels of every case and seed, `<case>.<seed>`: see ``refine``."""
    units = {
        f"{name}.{seed}": (name, seed, case, settings.labels, upstream["weak"][name]["weak"])
        for name, case in settings.data.cases.items()
        for seed in settings.data.seeds
    }
    return pool.map(refine, units)


def refine(name: str, seed: int, case: Case, settings: Labels, weak: Array) -> Arrays:
    """What the students of a case learn from.

    weak: the teacher's concept, (d,).  wrong, squared: moments of the posterior, (N,).  x: features (samples, d), with
    own, weak_y, refined (N, samples): labels by the target, the teacher, the source in context.  shared, (R, N, K):
    mean posteriors where weak labels of a context share part of their noise.
    """
    stream = streams.generator(seed, f"refinement/{name}/moments")
    found = refinement.moments(case.teacher, case.concepts, settings.contexts, settings.n_icl, stream)
    kept = {"weak": weak, "wrong": found.wrong, "squared": found.squared}
    kept |= sampled(case, settings, weak, streams.generator(seed, f"refinement/{name}/sample"))
    if name in settings.dependence.cases:
        stream = streams.generator(seed, f"refinement/{name}/shared")
        kept["shared"] = np.stack([shared(case, settings, rho, stream) for rho in settings.dependence.rhos])
    return kept


def sampled(case: Case, settings: Labels, weak: Array, stream: np.random.Generator) -> Arrays:
    """Labels of a finite sample; every refined one from a context of its own, which does not hold its question."""
    sizes = short(settings)
    x = stream.standard_normal((settings.samples, case.dimension))
    noise = stream.standard_normal((2, settings.samples))
    means = drawn_posterior(case, settings.samples, max(sizes), np.zeros((1, case.concepts)), 1.0, stream)
    refined = np.einsum("snk,sk->ns", means[:, sizes], x[:, : case.concepts])
    own, weak_y = x[:, 0] + case.deviation * noise[0], x @ weak + case.noise * noise[1]
    return {"x": x, "own": own, "weak_y": weak_y, "refined": refined}


def shared(case: Case, settings: Labels, rho: float, stream: np.random.Generator) -> Array:
    """Mean posteriors (N, K) where a share rho of the noise's variance is one linear function of x per context."""
    sizes, count = short(settings), settings.dependence.contexts
    common = np.sqrt(rho / case.concepts) * case.noise * stream.standard_normal((count, case.concepts))
    return drawn_posterior(case, count, max(sizes), common, np.sqrt(1 - rho), stream)[:, sizes].mean(axis=0)


def drawn_posterior(
    case: Case, contexts: int, longest: int, common: Array, own: float, stream: np.random.Generator
) -> Array:
    """Posteriors (contexts, longest + 1, K); ``common``, (contexts or 1, K), is added to the teacher's concept."""
    draws = stream.standard_normal((contexts, longest, case.concepts + 2))
    answers, turn = draws[..., : case.concepts], np.radians(case.angle)
    labels = np.cos(turn) * answers[..., 0] + np.sin(turn) * draws[..., -2] + own * case.noise * draws[..., -1]
    return refinement.posterior(answers, labels + np.einsum("cnk,ck->cn", answers, common), case.deviation)


def short(settings: Labels) -> list[int]:
    """Numbers of pairs up to those of a `sample` student."""
    return [n for n in settings.n_icl if n <= settings.sampled_n_icl]


def strong(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students of every case and seed as coefficients (rows, d + 1), by method; see ``students``."""
    return {
        f"{name}.{seed}": students(
            case, settings, upstream["represent"][name]["source"], upstream["labels"][f"{name}.{seed}"]
        )
        for name, case in settings.data.cases.items()
        for seed in settings.data.seeds
    }


def students(case: Case, settings: Settings, source: Array, labels: Arrays) -> Arrays:
    """`<method>.<head>` -> (rows, d + 1), a row for each n_icl, eta or (rho, n_icl).

    The last coordinate is the deviation of answers that vary with their context, 0 for a student with one answer.
    """
    sizes, rhos, etas = np.array(short(settings.labels)), settings.labels.dependence.rhos, settings.strong.etas
    wrong = labels["wrong"]
    spread = np.sqrt(np.maximum(labels["squared"] - refinement.excess(wrong, case.concepts), 0))
    made = {
        "refined.limit": mixed(case, wrong),
        "in_context.limit": mixed(case, wrong, spread),
        "naive.limit": [refinement.pulled(labels["weak"], source, eta) for eta in etas],
        "untuned.limit": [source],
        "refined.sample": [least_squares(labels["x"], y) for y in labels["refined"]],
        "naive.sample": [least_squares(labels["x"], labels["weak_y"], eta, source) for eta in etas],
        "gold.sample": [least_squares(labels["x"], labels["own"])],
    }
    if "shared" in labels:
        unbroken = wrong[: len(sizes)]
        broken = [refinement.broken(unbroken, case.concepts, rho, sizes) for rho in rhos]
        made["broken.limit"] = mixed(case, np.concatenate(broken))
        made["shared.limit"] = labels["shared"].reshape(-1, case.concepts)
    return {name: widened(rows, case.dimension + 1) for name, rows in made.items()}


def mixed(case: Case, wrong: Array, spread: Array | float = 0.0) -> Array:
    """Coefficients whose mass on wrong concepts is ``wrong`` (rows,), the same on each; the spread comes last."""
    rows = np.zeros((len(wrong), case.dimension + 1))
    rows[:, : case.concepts] = wrong[:, None] / (case.concepts - 1)
    rows[:, 0], rows[:, -1] = 1 - wrong, spread
    return rows


def least_squares(x: Array, y: Array, eta: float = 0.0, source: Array | float = 0.0) -> Array:
    """Least squares on n labels with the penalty n eta |b - source|^2."""
    gram = x.T @ x / len(x) + eta * np.eye(x.shape[1])
    return np.linalg.solve(gram, x.T @ y / len(x) + eta * np.asarray(source))


def widened(rows: Any, width: int) -> Array:
    """Rows of coefficients, filled up with zeros."""
    rows = np.asarray(rows)
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))


def evaluate(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells: a row for each case, seed, method and size.  Predictions at sqrt(d) e_i have the moments of N(0, I)."""
    cells = pd.concat(measured(settings, upstream), ignore_index=True)
    level = settings.evaluate.confidence
    kept = cells[(cells["head"] == "limit") & (cells["method"] == "refined")]
    metrics = nested(kept, "seed", ("panel", "n_icl"), lambda members: means(members, ("excess_risk",), level))
    return {"cells": cells, "metrics": metrics}


def measured(settings: Settings, upstream: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Cells of each case, seed, method and head."""
    first = settings.data.seeds[0]
    for name, case in settings.data.cases.items():
        target, weak = upstream["data"][name]["concepts"][0], upstream["weak"][name]["weak"]
        derived = {
            "derived_rate": refinement.decay_rate(case.teacher),
            "floor": refinement.floor(weak, upstream["represent"][name]["source"], target),
        }
        for seed in settings.data.seeds:
            made = upstream["strong"][f"{name}.{seed}"]
            for key, rows in sorted(made.items()):
                method, head = key.split(".")
                if head == "limit" and method in DRAWLESS and seed != first:
                    continue  # the same for every seed
                columns = risks(target, weak, made["gold.sample"], rows)
                known = {"method": method, "head": head, "seed": seed, **derived, **sizes_of(method, head, settings)}
                yield described(name, case, pd.DataFrame(columns), settings).assign(**known)


def risks(target: Array, weak: Array, ceiling: Array, student: Array) -> Arrays:
    """Measures of students (rows, d + 1) between coefficients; excess risk is the student's error."""
    width = student.shape[1]
    scaled = [np.sqrt(width) * widened(np.atleast_2d(each), width) for each in (target, weak, ceiling)]
    truth, teacher, best = (np.broadcast_to(each, student.shape) for each in scaled)
    columns = squared.measure(truth, teacher, np.sqrt(width) * student, best, np.full(len(student), np.nan))
    return {**columns, "excess_risk": columns["student_error"]}


def described(name: str, case: Case, columns: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Measures with what tells the case."""
    return columns.assign(
        panel=name,
        dataset="concepts",
        weak=f"{case.angle:g} degrees",
        strong="mixture",
        task=0,
        n_train=settings.labels.samples,
        **{field: getattr(case, field) for field in ("angle", "concepts", "deviation", "noise")},
    )


def sizes_of(method: str, head: str, settings: Settings) -> dict[str, Any]:
    """What the rows of a method differ in: pairs in context, pull, dependence; and whether it is a control."""
    sizes, rhos = short(settings.labels), settings.labels.dependence.rhos
    found: dict[str, Any] = {"n_icl": np.nan, "eta": np.nan, "dependence": np.nan, "control": np.nan}
    if method in ("broken", "shared"):
        return found | {"n_icl": sizes * len(rhos), "dependence": np.repeat(rhos, len(sizes))}
    if method == "naive":
        return found | {"eta": settings.strong.etas}
    if method in ("refined", "in_context"):
        return found | {"n_icl": settings.labels.n_icl if head == "limit" else sizes}
    return found | {"control": method}
