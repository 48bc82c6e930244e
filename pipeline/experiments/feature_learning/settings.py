"""Settings of the study `feature_learning`; its values stand in studies/feature_learning.yaml.

Lengths are in units of sigma_p, the deviation of a noise patch along each direction.
"""

import math
from typing import Annotated

from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, Fraction, Positive, Seeds

Share = Annotated[float, Field(ge=0, le=1)]
Strengths = Annotated[tuple[Positive, ...], Field(min_length=1)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]
# Four signals, the teacher's noise, and room for noise that is not in one line with it.
Dimension = Annotated[int, Field(ge=8)]
Digit = Annotated[int, Field(ge=0, le=9)]


class Shares(Block):
    """Probabilities of the types: examples with an easy signal only, a hard one only, and both (the bridge)."""

    easy: Share
    hard: Share
    both: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> "Shares":
        total = self.easy + self.hard + self.both
        if not math.isclose(total, 1, abs_tol=1e-9):
            raise ValueError(f"easy, hard and both are probabilities and sum to {total:g}; let them sum to 1")
        return self


Mixtures = Annotated[tuple[Shares, ...], Field(min_length=1)]


class Map(Block):
    """Grid of the data-scarce regime; points with A = n |nu|^2 / d above ``most_signal`` are left out.

    strengths: |nu|^4 / d; easy and hard signals are equally long.
    """

    samples: Counts
    dimensions: Annotated[tuple[Dimension, ...], Field(min_length=1)]
    strengths: Strengths
    shares: Mixtures
    most_signal: Positive


class Abundant(Block):
    """Points of the data-abundant regime: one size, several shares of bridge examples."""

    samples: Count
    dimension: Dimension
    strength: Positive
    shares: Mixtures


class Digits(Block):
    """Patches are scikit-learn's digits less their mean image and the other pair's, scaled to ``norm``, in 64 pixels.

    easy, hard: the digits that stand for the classes +1 and -1; a hard patch has a random sign besides.
    """

    samples: Count
    norm: Positive
    easy: tuple[Digit, Digit]
    hard: tuple[Digit, Digit]
    shares: Mixtures

    @model_validator(mode="after")
    def _distinct(self) -> "Digits":
        if len({*self.easy, *self.hard}) < 4:
            raise ValueError(
                f"easy {list(self.easy)} and hard {list(self.hard)} share a digit; name four distinct ones"
            )
        return self


class Data(Block):
    """Points, and examples beside the student's: the teacher's, of weak validation, of the test (of each type)."""

    seeds: Seeds
    teacher: Count
    validation: Count
    test: Count
    map: Map
    abundant: Abundant
    digits: Digits

    @model_validator(mode="after")
    def _points_remain(self) -> "Data":
        strength, dimension = min(self.map.strengths), max(self.map.dimensions)
        least = min(self.map.samples) * math.sqrt(strength / dimension)
        if least > self.map.most_signal:
            raise ValueError(f"map.most_signal {self.map.most_signal:g} leaves no point; the least A is {least:.2g}")
        return self


class Weak(Block):
    """The teacher's gradient descent from zero on gold labels; ``rate`` as for the student."""

    steps: Count
    rate: Positive


class Strong(Block):
    """The student: ``filters`` of each sign, Gaussian and about ``scale`` long, the second layer fixed.

    rate: in units of m / (2 |nu|^2 + d / n), about the inverse curvature, so that one number serves all points.
    map_steps: steps in the scarce regime; looks: steps at which the others are measured, the last one ends training.
    """

    filters: Count
    scale: Positive
    rate: Positive
    map_steps: Count
    looks: Counts


class Evaluate(Block):
    """Uncertainty in metrics.json."""

    confidence: Fraction


class Settings(Block):
    """The file studies/feature_learning.yaml."""

    data: Data
    weak: Weak
    strong: Strong
    evaluate: Evaluate
