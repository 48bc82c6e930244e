"""What the studies of refinement share: settings and their checks, names of students, means over seeds."""

from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field

from pipeline.measures import squared
from pipeline.summary.metrics import ends
from pipeline.theory import intervals

Array = np.ndarray
CONTROLS = ("untuned", "gold", "bayes", "teacher")  # of the learned students


def room(concepts: int, dimension: int) -> None:
    """Raise ValueError where the dimension does not hold the concepts and the teacher's own direction."""
    if concepts >= dimension:
        raise ValueError(
            f"{concepts} orthonormal concepts and the teacher's own direction need a dimension of at least "
            f"{concepts + 1}, not {dimension}; raise dimension or lower concepts"
        )


def within_training(longest: int, trained: int, kind: str, questions: int, parts: int = 1) -> None:
    """Raise ValueError where contexts are longer than in pretraining, or leave no question out.

    kind: what a context holds, the key of ``trained`` under `represent`.  Contexts come from one of ``parts`` equal
    parts of the questions.
    """
    if longest > trained:
        raise ValueError(
            f"labels.n_icl {longest} exceeds the {trained} {kind} of the contexts in pretraining; lower it or raise "
            f"represent.{kind}"
        )
    if longest >= questions // parts:
        raise ValueError(
            f"labels.n_icl {longest} leaves no question out of its own context; raise data.questions {questions} above "
            f"{parts * (longest + 1) - 1}"
        )


def holds_a_pair(n_icl: tuple[int, ...]) -> tuple[int, ...]:
    """Numbers of weak pairs, not all 0: refinement without any pair is the control."""
    if max(n_icl) == 0:
        raise ValueError("only empty contexts, which refine nothing; add a number of weak pairs above 0")
    return n_icl


Angle = Annotated[float, Field(ge=0, le=90)]
WeakPairs = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), AfterValidator(holds_a_pair)]


def told(name: str) -> dict[str, Any]:
    """What a student's name `<method>.<size>` says: the size is its pull to the source or else its pairs in context."""
    method, _, size = name.partition(".")
    return {
        "method": method,
        "control": method if method in CONTROLS else np.nan,
        "n_icl": int(size) if size and method != "naive" else np.nan,
        "eta": float(size) if method == "naive" else np.nan,
    }


def means(members: list[pd.DataFrame], columns: tuple[str, ...], confidence: float) -> dict[str, Any]:
    """Means of some columns over seeds with their intervals."""
    return {
        name: ends(intervals.over_units([float(member[name].mean()) for member in members], confidence))
        for name in columns
    }


def row(weak: Array, student: Array, ceiling: Array) -> pd.DataFrame:
    """Measures from scores (2, questions); (2, contexts * questions) of answers in context."""
    repeated = student.shape[1] // weak.shape[1]
    weak, ceiling = (np.tile(each, repeated) for each in (weak, ceiling))
    truth = np.ones(2 * student.shape[1])
    columns = squared.measure(truth, *(each.reshape(1, -1) for each in (weak, student, ceiling)), np.array([np.nan]))
    content, style = student.mean(axis=1)
    known = {"dataset": "tokens", "weak": "teacher", "strong": "transformer", "head": "finetuned", "task": 0}
    own = {"excess_risk": columns["student_error"], "content": content, "style": style, "n_eval": student.shape[1]}
    return pd.DataFrame(columns).assign(**own, **known)
