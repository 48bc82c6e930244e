"""Figures and tables as data URIs, so that the page stands alone."""

import base64
import io
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup
from PIL import Image

from pipeline.core.errors import InputError

COLOURS = 64  # of a palette: the figures are flat colour and text, which this leaves crisp at a fifth of the bytes
# What may stand in a data URI between single quotes; percent signs, spaces and all beyond ASCII are escaped.
LITERAL = '{}[]:,"/()'


class Picture(NamedTuple):
    """A figure as the page shows it; width and height in pixels."""

    source: str
    width: int
    height: int


def picture(path: Path) -> Picture:
    """A PNG in a palette of 64 colours, as lossless WebP: about a third of the bytes.  Raises InputError."""
    remedy = f"run `python -m pipeline.figures` or restore it with `git checkout {path}`"
    try:
        drawn = Image.open(path).convert("RGB")
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {remedy}") from None
    except OSError:
        raise InputError(f"{path} is not a readable picture; {remedy}") from None
    flat = drawn.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    stream = io.BytesIO()
    flat.save(stream, format="WEBP", lossless=True, quality=80, method=4)
    return Picture(f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}", *drawn.size)


def csv_uri(text: str) -> Markup:
    """A table as a link that downloads it; to stand between single quotes."""
    return Markup(f"data:text/csv;charset=utf-8,{quote(text, safe=LITERAL)}")
