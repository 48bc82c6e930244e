"""The molecules of the corpus that teachers label."""

from collections.abc import Collection

from pipeline.experiments.molecules import data
from pipeline.experiments.molecules_scaling.settings import Settings


def lines(settings: Settings, downstream: Collection[str]) -> list[str]:
    """Their SMILES, at even distances in the file; no molecule of a data set is among them."""
    wanted = settings.data.corpus.model_copy(update={"molecules": settings.weak.corpus})
    return data.corpus(wanted, set(downstream))[1]
