"""Refinement with an in-context learner that is pretrained here: a transformer over pairs (x, y) of K concepts.

A position holds a question x and the pair that came before it, so that n pairs and a question take n + 1 positions.
The strong model is asked without context when it is a student; students are finetuned whole.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from pydantic import Field, model_validator
from torch import nn

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, Evaluate, NonNegative, Positive, Seeds
from pipeline.core.parallel import Pool
from pipeline.experiments.refined import Angle, WeakPairs, means, room, told, within_training
from pipeline.measures import squared
from pipeline.models import sequences
from pipeline.summary.metrics import nested
from pipeline.theory import refinement

Array = np.ndarray
KEYS = ("method", "n_icl", "eta")
ESTIMATES = ("transformers pretrained and finetuned with torch, where rounding grows",)
TEACHERS = ("corrupted", "network")


class Data(Block):
    """Concepts and features per seed; ``deviation`` is the noise of labels."""

    seeds: Seeds
    concepts: Annotated[int, Field(ge=2)]
    dimension: Count
    deviation: Positive
    questions: Annotated[int, Field(ge=2)]
    test: Count

    @model_validator(mode="after")
    def _has_room(self) -> "Data":
        room(self.concepts, self.dimension)
        return self


class Represent(Block):
    """The strong model, its pretraining on contexts of up to ``pairs`` pairs, and sequences to look at it."""

    network: sequences.Shape
    pairs: Count
    training: sequences.Training
    looked_at: Count


class Weak(Block):
    """A concept turned away from the target; a small network of few labels, fitted by full batches of Adam."""

    angle: Angle
    labels: Count
    units: Count
    steps: Count
    learning_rate: Positive


class Labels(Block):
    """Weak pairs in context."""

    n_icl: WeakPairs


class Strong(Block):
    """Finetuning, and strengths of the pull to the un-tuned model's answers."""

    training: sequences.Training
    etas: Annotated[tuple[NonNegative, ...], Field(min_length=1)]


class Settings(Block):
    """The file studies/refinement_learned.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _within_the_trained_context(self) -> "Settings":
        within_training(max(self.labels.n_icl), self.represent.pairs, "pairs", self.data.questions)
        return self


def data(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed: concepts (K, d), a direction off them, features of questions and test, true labels of the questions."""
    return {f"seed-{seed}": drawn(seed, settings.data) for seed in settings.data.seeds}


def drawn(seed: int, data: Data) -> Arrays:
    """The data of one seed."""
    stream = streams.generator(seed, "refinement_learned/data")
    basis, _ = np.linalg.qr(stream.standard_normal((data.dimension, data.dimension)))
    x = {name: stream.standard_normal((getattr(data, name), data.dimension)) for name in ("questions", "test")}
    gold = x["questions"] @ basis[:, 0] + data.deviation * stream.standard_normal(data.questions)
    return {"concepts": basis.T[: data.concepts].copy(), "off": basis.T[data.concepts].copy(), "gold": gold, **x}


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Pretrain the strong model of every seed; see ``learn``."""
    units = {f"seed-{seed}": (seed, settings, upstream["data"]) for seed in settings.data.seeds}
    return pool.map(learn, units)


def learn(seed: int, settings: Settings, data: Mapping[str, Arrays]) -> Arrays:
    """Weights; on sequences not trained on, truth, Bayes' and the model's answers (sequences, pairs + 1)."""
    concepts, size = data[f"seed-{seed}"]["concepts"], settings.represent.training.batch_size
    model = network(seed, settings)
    stream = streams.generator(seed, "refinement_learned/pretraining")

    def loss(step: int) -> torch.Tensor:
        x, _, y = episodes(stream, size, concepts, settings)
        return nn.functional.mse_loss(model(tokens(x, y))[..., 0], torch.from_numpy(y.astype(np.float32)))

    losses = sequences.train(model, loss, settings.represent.training)
    x, answers, y = episodes(stream, settings.represent.looked_at, concepts, settings)
    every = x @ concepts.T
    known = refinement.posterior(every, y, settings.data.deviation)[:, :-1]
    with torch.no_grad():
        own = model(tokens(x, y))[..., 0].numpy()
    bayes = (known * every).sum(axis=-1)
    return {**sequences.weights(model), "losses": np.array(losses), "truth": answers, "bayes": bayes, "own": own}


def network(seed: int, settings: Settings) -> sequences.Sequences:
    """The strong model before pretraining."""
    shape = settings.represent
    return sequences.made(seed, shape.network, shape.pairs + 1, 2 * settings.data.dimension + 1, 1)


def episodes(
    stream: np.random.Generator, count: int, concepts: Array, settings: Settings
) -> tuple[Array, Array, Array]:
    """Features (count, pairs + 1, d), answers and noisy labels (count, pairs + 1), a concept drawn per sequence."""
    x = stream.standard_normal((count, settings.represent.pairs + 1, settings.data.dimension))
    answers = np.einsum("npd,nd->np", x, concepts[stream.integers(len(concepts), size=count)])
    return x, answers, answers + settings.data.deviation * stream.standard_normal(answers.shape)


def tokens(x: Array, y: Array) -> torch.Tensor:
    """What stands at each position, (..., positions, 2 d + 1): x, and the x and y before it; zeros before the first."""
    before = np.concatenate([x, y[..., None]], axis=-1)[..., :-1, :]
    first = np.zeros_like(before, shape=(*x.shape[:-2], 1, x.shape[-1] + 1))
    return torch.from_numpy(np.concatenate([x, np.concatenate([first, before], axis=-2)], axis=-1).astype(np.float32))


def weak(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed: `<teacher>.questions`, weak labels, and `<teacher>.test`, what the teacher answers there."""
    return {f"seed-{seed}": taught(seed, settings, upstream["data"][f"seed-{seed}"]) for seed in settings.data.seeds}


def taught(seed: int, settings: Settings, data: Arrays) -> Arrays:
    """Labels of both teachers: the corrupted concept's are noisy, as those of the source are; the network's are not."""
    stream = streams.generator(seed, "refinement_learned/teachers")
    concept = refinement.weak_concept(data["concepts"], data["off"], settings.weak.angle)
    noise = settings.data.deviation * stream.standard_normal(settings.data.questions)
    x = stream.standard_normal((settings.weak.labels, settings.data.dimension))
    y = x @ data["concepts"][0] + settings.data.deviation * stream.standard_normal(len(x))
    fitted = small_network(seed, settings.weak, x, y)
    return {
        "corrupted.questions": data["questions"] @ concept + noise,
        "corrupted.test": data["test"] @ concept,
        **{f"network.{part}": fitted(data[part]) for part in ("questions", "test")},
    }


def small_network(seed: int, settings: Weak, x: Array, y: Array) -> Any:
    """A function of features (n, d), fitted to labels (n,): one hidden layer of tanh units."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(x.shape[1], settings.units), nn.Tanh(), nn.Linear(settings.units, 1)).double()
    optimiser = torch.optim.Adam(model.parameters(), settings.learning_rate)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(settings.steps):
        optimiser.zero_grad()
        nn.functional.mse_loss(model(inputs)[:, 0], targets).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return lambda features: model(torch.from_numpy(features))[:, 0].detach().numpy()


def labels(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed and teacher: weak labels, refined ones, answers in context to the test; see ``refine``."""
    bundles = (settings, upstream["data"], upstream["represent"], upstream["weak"])
    return pool.map(refine, {f"seed-{s}.{t}": (s, t, *bundles) for s in settings.data.seeds for t in TEACHERS})


def refine(
    seed: int,
    teacher: str,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
) -> Arrays:
    """`weak`, `refined.<n>`, `bayes.<n>` (questions,), `in_context.<n>` (test,); n weak pairs, not a question's own."""
    own, y = data[f"seed-{seed}"], weak[f"seed-{seed}"][f"{teacher}.questions"]
    model = pretrained(seed, settings, represent)
    stream, longest = streams.generator(seed, f"refinement_learned/contexts/{teacher}"), max(settings.labels.n_icl)
    exact = bayes(own["concepts"], settings.data.deviation)
    count = len(y)
    others = (np.arange(count)[:, None] + shifts(stream, count, count, longest)) % count
    drawn = stream.integers(count, size=(len(own["test"]), longest))
    found = {"weak": y}
    for n in settings.labels.n_icl:
        for name, x, rows in (("refined", own["questions"], others), ("in_context", own["test"], drawn)):
            found[f"{name}.{n}"] = answered(model, x, own["questions"][rows[:, :n]], y[rows[:, :n]])
        found[f"bayes.{n}"] = exact(own["questions"], own["questions"][others[:, :n]], y[others[:, :n]])
    return found


def shifts(stream: np.random.Generator, rows: int, count: int, longest: int) -> Array:
    """Different steps (rows, longest) from a question to others of its pool, none of length 0."""
    return np.argsort(stream.random((rows, count - 1)), axis=1)[:, :longest] + 1


def pretrained(seed: int, settings: Settings, represent: Mapping[str, Arrays]) -> sequences.Sequences:
    """The strong model."""
    model, kept = network(seed, settings), represent[f"seed-{seed}"]
    sequences.load(model, kept)
    return model


def answered(model: sequences.Sequences, x: Array, context_x: Array, context_y: Array) -> Array:
    """Answers (n,) to questions (n, d) after contexts (n, pairs, d) and (n, pairs)."""
    sequence = np.concatenate([context_x, x[:, None]], axis=1)
    with torch.no_grad():
        found = model(tokens(sequence, np.pad(context_y, ((0, 0), (0, 1)))))[:, -1, 0]
    return np.asarray(found.numpy(), dtype=np.float64)


def bayes(concepts: Array, deviation: float) -> Any:
    """A function like ``answered``, of the exact posterior over concepts (K, d)."""

    def answer(x: Array, context_x: Array, context_y: Array) -> Array:
        known = refinement.posterior(context_x @ concepts.T, context_y, deviation)[:, -1]
        return np.asarray((known * (x @ concepts.T)).sum(axis=-1))

    return answer


def strong(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed and teacher: answers to the test (test,) of each student, `<method>.<size>`; see ``finetune``."""
    bundles = (settings, upstream["data"], upstream["represent"], upstream["labels"])
    return pool.map(finetune, {f"seed-{s}.{t}": (s, t, *bundles) for s in settings.data.seeds for t in TEACHERS})


def finetune(
    seed: int,
    teacher: str,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """Students by the labels they see; the pull eta, KL to the source, makes y' (y' + eta source) / (1 + eta)."""
    own, known = data[f"seed-{seed}"], labels[f"seed-{seed}.{teacher}"]
    empty = np.zeros((len(own["questions"]), 0, settings.data.dimension))
    model = pretrained(seed, settings, represent)
    source = answered(model, own["questions"], empty, empty[..., 0])
    targets = {name: array for name, array in known.items() if name.startswith(("refined.", "bayes."))}
    targets["gold."] = own["gold"]
    targets |= {f"naive.{eta:g}": (known["weak"] + eta * source) / (1 + eta) for eta in settings.strong.etas}
    asked = np.zeros((len(own["test"]), 0, settings.data.dimension))
    found = {name: array for name, array in known.items() if name.startswith("in_context.")}
    found["untuned."] = answered(model, own["test"], asked, asked[..., 0])
    for name, target in targets.items():
        student = tuned(seed, settings, pretrained(seed, settings, represent), own["questions"], target)
        found[name] = answered(student, own["test"], asked, asked[..., 0])
    return found


def tuned(seed: int, settings: Settings, model: sequences.Sequences, x: Array, y: Array) -> sequences.Sequences:
    """The model finetuned whole on labels (n,), asked without context, in an order of rows that all students share."""
    stream, size = streams.generator(seed, "refinement_learned/finetuning"), settings.strong.training.batch_size
    inputs, targets = tokens(x[:, None], y[:, None]), torch.from_numpy(y.astype(np.float32))

    def loss(step: int) -> torch.Tensor:
        rows = torch.from_numpy(stream.integers(len(x), size=size))
        return nn.functional.mse_loss(model(inputs[rows])[:, 0, 0], targets[rows])

    sequences.train(model, loss, settings.strong.training)
    return model


def evaluate(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells: excess risk of every student on the test inputs; and how near the pretrained model is to Bayes."""
    cells = pd.concat([*students(settings, upstream), *learners(settings, upstream)], ignore_index=True)
    level = settings.evaluate.confidence
    kept = cells[cells["method"] == "refined"]
    metrics = nested(kept, "seed", ("weak", "n_icl"), lambda members: means(members, ("excess_risk",), level))
    return {"cells": cells, "metrics": metrics}


def students(settings: Settings, upstream: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Rows of each seed, teacher and student."""
    for seed in settings.data.seeds:
        own = upstream["data"][f"seed-{seed}"]
        truth = own["test"] @ own["concepts"][0]
        for teacher in TEACHERS:
            made = upstream["strong"][f"seed-{seed}.{teacher}"]
            weak = upstream["weak"][f"seed-{seed}"][f"{teacher}.test"]
            for key, answers in sorted(made.items()):
                known = {"weak": teacher, "n_train": settings.data.questions, **told(key)}
                yield row(truth, weak, answers, made["gold."], seed).assign(**known)


def learners(settings: Settings, upstream: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Rows of the pretrained model (in the student's place) beside Bayes (in the teacher's), by number of pairs."""
    for seed in settings.data.seeds:
        kept = upstream["represent"][f"seed-{seed}"]
        for n in range(settings.represent.pairs + 1):
            truth, bayes, own = (kept[name][:, n].astype(np.float64) for name in ("truth", "bayes", "own"))
            yield row(truth, bayes, own, bayes, seed).assign(weak="bayes", method="learner", n_icl=n, control="learner")


def row(truth: Array, weak: Array, student: Array, ceiling: Array, seed: int) -> pd.DataFrame:
    """Measures of one student."""
    columns = squared.measure(truth, *(np.asarray(each)[None] for each in (weak, student, ceiling)), np.array([np.nan]))
    known = {"dataset": "concepts", "strong": "transformer", "head": "finetuned", "task": 0, "seed": seed}
    return pd.DataFrame(columns).assign(excess_risk=columns["student_error"], n_eval=len(truth), **known)
