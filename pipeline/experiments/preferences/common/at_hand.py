"""What a study can run with what is at hand: sets and corpora of the mirror are left out where there is no mirror.

Each is told in one line by the stage that would read it.  The verbs after it go by what that stage wrote.
"""

import sys
from collections.abc import Collection, Mapping
from typing import Any

from pipeline.core import artifacts, files
from pipeline.core.errors import InputError
from pipeline.core.experiments import PRETRAIN
from pipeline.experiments.preferences.settings import Data, Hub, Pretrained, Represent, Settings, TextSet

NOTE = "left_out.json"  # beside the networks of a study: those that it could not pretrain
LEFT_OUT = "left_out"  # item of the bundle of features: rungs


def datasets(data: Data) -> dict[str, TextSet]:
    """Text sets that can be read.  Raises InputError where there is none."""
    found, told = {}, []
    for name, chosen in data.datasets.items():
        named = [] if isinstance(chosen.source, Hub) else chosen.source.values()
        absent = [file.path for file in named if not files.at_hand(file) and not files.is_shipped(file)]
        if absent:
            told.append(f"text set '{name}' is left out: {files.mirror()} has no {', '.join(absent)}")
        else:
            found[name] = chosen
    if not found:
        raise InputError(
            f"{{where}}: {files.mirror()} has the files of no text set of data.datasets; set W2S_MIRROR to the folder "
            "that has them, or name files of your own"
        )
    for line in told:
        print(line, file=sys.stderr)
    return found


def rungs(represent: Represent) -> list[str]:
    """Rungs on a network that could not be pretrained for want of its corpora."""
    absent = []
    for name, model in represent.models.items():
        if isinstance(model, Pretrained):
            study, network = model.pretrained.split("/")
            note = artifacts.folder(PRETRAIN, study) / NOTE
            if note.exists() and network in artifacts.read_item(note):
                absent.append(name)
    return [rung for rung, view in represent.ladder.items() if view.model in absent]


def present(settings: Settings, upstream: Mapping[str, Any]) -> Settings:
    """The settings without what the stages before left out."""
    kept = {name: chosen for name, chosen in settings.data.datasets.items() if name in upstream["data"]["report"]}
    features = upstream.get("represent", {})
    absent = list(features[LEFT_OUT]) if LEFT_OUT in features else []
    return without(settings, kept, absent)


def left_out(asked: Settings, less: Settings) -> list[str]:
    """Names of the sets and rungs that were left out, as they were asked for."""
    return [
        *(name for name in asked.data.datasets if name not in less.data.datasets),
        *(rung for rung in asked.represent.ladder if rung not in less.represent.ladder),
    ]


def without(settings: Settings, sets: Mapping[str, TextSet], absent: Collection[str]) -> Settings:
    """The settings with these text sets, and without some rungs and all that stands on them."""
    if len(sets) == len(settings.data.datasets) and not absent:
        return settings
    blocks: dict[str, Any] = {"data": settings.data.model_copy(update={"datasets": dict(sets)})}
    asked = vars(settings)
    if "represent" in asked:
        own = settings.represent
        ladder = {name: view for name, view in own.ladder.items() if name not in absent}
        twice = {name: count for name, count in own.float32_rows.items() if name in sets}
        blocks["represent"] = own.model_copy(update={"ladder": ladder, "float32_rows": twice})
    if "weak" in asked:
        teachers = {name: one for name, one in settings.weak.teachers.items() if one.rung not in absent}
        blocks["weak"] = settings.weak.model_copy(update={"teachers": teachers})
        if not teachers:
            raise InputError(f"{{where}}: no teacher is left without the rungs {', '.join(absent)}; see W2S_MIRROR")
    if "labels" in asked:
        noisy = tuple(name for name in settings.labels.noise_teachers if name in teachers)
        blocks["labels"] = settings.labels.model_copy(update={"noise_teachers": noisy})
    if "strong" in asked:
        blocks["strong"] = _students(settings, sets, teachers, absent)
    return settings.model_copy(update=blocks)


def _students(settings: Settings, sets: Collection[str], teachers: Collection[str], absent: Collection[str]) -> Any:
    strong = settings.strong
    kept = tuple(rung for rung in strong.rungs if rung not in absent)
    if strong.focus not in kept:
        raise InputError(f"{{where}}: strong.focus is '{strong.focus}', which had to be left out; see W2S_MIRROR")
    changed: dict[str, Any] = {"rungs": kept, "chain": tuple(rung for rung in strong.chain if rung not in absent)}
    if strong.curves:
        followed = tuple(name for name in strong.curves.teachers if name in teachers)
        changed["curves"] = strong.curves.model_copy(update={"teachers": followed}) if followed else None
    if strong.full:
        pairs = tuple(pair for pair in strong.full.pairs if pair[0] in teachers and pair[1] not in absent)
        names = tuple(name for name in strong.full.datasets if name in sets)
        changed["full"] = strong.full.model_copy(update={"pairs": pairs, "datasets": names})
    return strong.model_copy(update=changed)
