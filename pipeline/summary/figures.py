"""The figures of both papers."""

from pipeline.summary import charikar, yao
from pipeline.summary.charikar import Figure

FIGURES: dict[str, Figure] = {**charikar.FIGURES, **yao.FIGURES}
