"""Representations by name: the rungs of the weak ladder and the strong one, and where the bundles hold them."""

from typing import NamedTuple

import pandas as pd

from pipeline.experiments.molecules.settings import Ladder

STRONG = "strong"


class Rung(NamedTuple):
    """One representation: `smiles` with a hidden size, `morgan` with a number of bits, or the `strong` one."""

    ladder: str
    size: int
    seed: int
    name: str

    @property
    def item(self) -> str:
        """Name of its features in the bundle of representations."""
        return STRONG if self.ladder == STRONG else f"{self.name}-seed-{self.seed}"


def weak_rungs(settings: Ladder, seeds: tuple[int, ...]) -> list[Rung]:
    """The ladder: SMILES transformers by seed, then the control, which has no training and so one seed."""
    sizes = {seed: settings.further_seeds if place else settings.hidden_sizes for place, seed in enumerate(seeds)}
    trained = [Rung("smiles", size, seed, f"smiles-{size}") for seed in seeds for size in sizes[seed]]
    return [*trained, *(Rung("morgan", bits, seeds[0], f"morgan-{bits}") for bits in settings.morgan_bits)]


def table(rungs: list[Rung]) -> pd.DataFrame:
    """Rungs as a table, the form in which they are stored."""
    return pd.DataFrame(rungs, columns=Rung._fields)


def listed(stored: pd.DataFrame) -> list[Rung]:
    """Rungs from the stored table."""
    return [Rung(*row) for row in stored.itertuples(index=False, name=None)]
