"""RAVEN on preferences: reward heads taught helpfulness, a student that meets harmlessness; see experiments/shift."""

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from pipeline.core.config import Block, Fraction, Name, Names, Seeds
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences import data as texts
from pipeline.experiments.preferences import represent as features
from pipeline.experiments.preferences.settings import Data, Represent, known


class Settings(Block):
    data: Data
    represent: Represent


def data(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Pairs of both sets."""
    return texts.run(settings, upstream, pool)


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Features of every pair, kept by hash."""
    return features.run(settings, upstream, pool)
