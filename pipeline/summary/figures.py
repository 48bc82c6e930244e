"""The figures of both papers and of the language-model study."""

from pipeline.summary import charikar, preferences, yao
from pipeline.summary.charikar import Figure

FIGURES: dict[str, Figure] = {**charikar.FIGURES, **yao.FIGURES, **preferences.FIGURES}
