"""What each stage of the main job stands on, as hashes.  pipeline/, params.yaml, data/ -> keys.json

python -m pipeline.keys

DVC runs this before anything else whenever one of them changed, and each stage has its own hash as a parameter: so a
change runs the stages that load it and no other.
"""

from pathlib import Path
from typing import Any

from pipeline.core import artifacts, config, experiments, keys
from pipeline.core.errors import command_line
from pipeline.core.experiments import UPSTREAM

KEYS = Path("keys.json")
# What speaks of all experiments: the folders and modules whose code makes it.
ACROSS = {"figures": ("figures",), "claims": ("claims.py",), "report": ("report.py", "page", "figures")}


def main() -> None:
    """Write the hashes."""
    artifacts.write_json(KEYS, made())


def made() -> dict[str, Any]:
    """A hash for each verb and experiment that has it, and for each stage across experiments."""
    blocks = [experiments.load(name) for name in config.experiments()]
    verbs = {verb: {one.name: keys.key(one, verb) for one in blocks if one.has(verb)} for verb in UPSTREAM}
    return verbs | {stage: keys.across(names) for stage, names in ACROSS.items()}


if __name__ == "__main__":
    command_line(main, __doc__)
