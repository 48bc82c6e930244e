"""The words that figures, claims and report use: glossary.yaml, printed by README.md and the report."""

from pathlib import Path

from pipeline.core import config
from pipeline.core.errors import InputError

GLOSSARY = Path("glossary.yaml")


def read(path: Path = GLOSSARY) -> dict[str, str]:
    """Meanings by term, as listed.  Raises InputError that names a term without one."""
    found = {str(term): meaning for term, meaning in config.read(path).items()}
    for term, meaning in found.items():
        if not isinstance(meaning, str) or not meaning:
            raise InputError(f"{path}: {term} is {meaning!r}; say what it means, as a text on one line")
    return found
