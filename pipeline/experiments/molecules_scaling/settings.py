"""Settings of the study `molecules_scaling`; its values stand in studies/molecules_scaling.yaml."""

from typing import Annotated

from pydantic import Field

from pipeline.core.config import Block, Count, Evaluate, Fraction, Positive, Seed
from pipeline.experiments.molecules import settings as molecules

Sizes = Annotated[tuple[Annotated[int, Field(ge=10)], ...], Field(min_length=1)]


class Weak(Block):
    """Teachers: ridge heads on rungs of the ladder, each on half of the training part of a random split.

    splits: how many; train, valid: shares of the molecules in these parts, the rest is the test part.
    frequency: of the control teacher, a sine of one random direction of the features (deviation 1), in radians.
    corpus: molecules of the corpus, at even distances, that the teachers label and the strong model reads.
    """

    splits: Count
    train: Fraction
    valid: Fraction
    seed: Seed
    hidden_sizes: Annotated[tuple[Count, ...], Field(min_length=1)]
    frequency: Positive
    corpus: Count


class Strong(Block):
    """How many weak labels students see: of the population (then also all of it), and of the corpus.

    Weights of corpus molecules: odds of a logistic classifier (inverse penalty as scikit-learn's C) that a molecule is
    one of the data set, from folds that did not see it; cut off at ``clip`` times their mean.
    """

    own: Sizes
    corpus: Sizes
    weighted: Sizes
    folds: Annotated[int, Field(ge=2)]
    inverse_penalty: Positive
    clip: Positive


class Settings(Block):
    """Data and representations are those of `molecules`."""

    data: molecules.Data
    represent: molecules.Represent
    weak: Weak
    strong: Strong
    evaluate: Evaluate

    def splits(self) -> tuple[str, ...]:
        """Names of the random splits."""
        return tuple(f"s{number}" for number in range(self.weak.splits))
