"""The pretrained transformers as the bundles hold them; apart from rungs.py, for transformers is slow to import."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.experiments.molecules.common.rungs import Rung
from pipeline.models.molecules.transformer import Sequences, Size, SmilesBert, restored


def sequences(arrays: Arrays) -> Sequences:
    """Tokens and lengths of a data set or of the corpus."""
    return Sequences(arrays["tokens"], arrays["lengths"])


def shape(rung: Rung, layers: int, attention_heads: int, data: Mapping[str, Any]) -> Size:
    """Shape of a rung's transformer."""
    return Size(rung.size, layers, attention_heads, len(data["vocabulary"]), data["corpus"]["descriptors"].shape[1])


def model(stored: Arrays) -> SmilesBert:
    """The pretrained transformer of a `weights-<rung>` item."""
    size = Size(*(int(number) for number in stored["size"]))
    return restored(size, {name: array for name, array in stored.items() if name != "size"})
