"""What can be wrong with the files of a repository: the command that meets it, and the words its one line must hold."""

import json
from pathlib import Path
from typing import NamedTuple

from spoiling import (
    Spoil,
    cell,
    cut,
    cut_rows,
    document,
    first_of,
    judged,
    lines,
    overwrite,
    params,
    recorded,
    remove,
    study,
    swap,
    texts,
    without_block,
    without_notebooks,
    without_units,
    write,
)

from tests.toy_cells import CLAIM

ESOL = "moleculenet/delaney-processed.csv"
SPLITS = "moleculenet/chembench_random_splits.json"
CORPUS = "smiles/chembl_subset.txt.xz"
CELLS = "results/synthetic/cells.csv"
CLAIMS = "claims/charikar2024.yaml"
FEATURES = "artifacts/features"
NOTEBOOK = "notebooks/charikar2024.ipynb"
GENERIC = "notebooks/figures.ipynb"  # stands in for any other


class Case(NamedTuple):
    """One bad input."""

    command: str
    spoil: Spoil
    words: tuple[str, ...]


RESTORE = "git checkout"
AGAIN = "dvc repro"

PARAMS = {
    "params absent": Case("data synthetic", remove("params.yaml"), ("params.yaml", "root of the repository")),
    "params no YAML": Case("data synthetic", write("params.yaml", b"a: ["), ("params.yaml", "not valid YAML")),
    "params a list": Case("data synthetic", write("params.yaml", b"- 1"), ("params.yaml", RESTORE)),
    "params not text": Case("data synthetic", write("params.yaml", b"\xff\xfe\x00a"), ("params.yaml", RESTORE)),
    "params cut": Case("data synthetic", without_block("digits"), ("params.yaml", "no block", "add it")),
    "key twice": Case(
        "data synthetic", swap("params.yaml", b"  data:", b"  weak: 1\n  data:"), ("params.yaml", "weak")
    ),
    "negative": Case("data synthetic", params("synthetic", "data", "tasks", value=-1), ("synthetic.data.tasks is -1",)),
    "fraction": Case(
        "data synthetic", params("synthetic", "data", "tasks", value=2.5), ("synthetic.data.tasks is 2.5",)
    ),
    "text": Case("data synthetic", params("synthetic", "weak", "learning_rate", value="1e-3"), ("is '1e-3'", "number")),
    "not a number": Case(
        "data synthetic",
        params("synthetic", "weak", "learning_rate", value=float("nan")),
        ("synthetic.weak.learning_rate",),
    ),
    "date": Case(
        "data synthetic", swap("params.yaml", b"tasks: 3", b"tasks: 2020-01-01"), ("synthetic", "no plain number")
    ),
    "unknown key": Case(
        "data synthetic", params("synthetic", "data", "task", value=1), ("synthetic.data.task", "spelling")
    ),
    "key misspelt": Case(
        "data synthetic",
        swap("params.yaml", b"input_dimension", b"input_dimenson"),
        ("synthetic.data.input_dimenson is not a known key, and synthetic.data.input_dimension is missing", "did you"),
    ),
    "block of nothing": Case("data synthetic", params("synthetic", value=None), ("synthetic is None",)),
    "no experiment": Case("figures", params("experiments", value=[]), ("experiments is []",)),
    "experiment without block": Case(
        "figures", params("experiments", value=["synthetic", "own"]), ("own", "add it or drop")
    ),
    "confidence": Case("claims", params("intervals", "confidence", value=95), ("intervals.confidence is 95",)),
    "unknown experiment": Case("data synthetik", lambda: None, ("synthetik", "known: synthetic")),
    "no argument": Case("weak", lambda: None, ("usage: python -m pipeline.weak", "synthetic")),
    "descriptor": Case(
        "data molecules",
        params("molecules", "data", "corpus", "descriptors", 0, value="weight"),
        ("'weight'", "unknown"),
    ),
    "branch for a revision": Case(
        "represent preferences",
        study("preferences", "represent", "models", "tiny", "revision", value="main"),
        ("full revision",),
    ),
}
DATA = {
    "molecules absent": Case("data molecules", remove(f"data/{ESOL}"), (ESOL, "is missing", RESTORE)),
    "molecules cut": Case("data molecules", cut(f"data/{ESOL}"), (ESOL, "truncated or altered", RESTORE)),
    "corpus cut": Case("data molecules", cut(f"data/{CORPUS}"), (CORPUS, "truncated or altered", RESTORE)),
    "no label": Case(
        "data molecules", recorded(ESOL, lambda raw: raw.replace(b",-0.77,", b",none,", 1)), (ESOL, "row 0", "restore")
    ),
    "no SMILES": Case(
        "data molecules",
        recorded(ESOL, lambda raw: raw.replace(b"Cc1occc1C(=O)Nc2ccccc2", b"Cc1occc1C(=O)Nc2cccc", 1)),
        (ESOL, "row 1", "not a SMILES"),
    ),
    "no column": Case(
        "data molecules", recorded(ESOL, lambda raw: raw.replace(b"smiles", b"SMILES", 1)), (ESOL, "smiles")
    ),
    "split of another set": Case(
        "data molecules", recorded(SPLITS, document(lambda splits: splits.pop("ESOL"))), (SPLITS, "ESOL", "restore")
    ),
    "split no JSON": Case("data molecules", recorded(SPLITS, lambda raw: raw[:-9]), (SPLITS, "restore")),
    "corpus no archive": Case("data molecules", recorded(CORPUS, lambda raw: raw[:-9]), (CORPUS, "restore")),
    "texts absent": Case(
        "data preferences",
        lambda: [remove(f"data/{name}.jsonl.xz")() for name in ("pairs_test", "questions")],
        ("the files of no text set", "W2S_MIRROR"),
    ),
    "texts cut": Case("data preferences", cut("data/pairs_test.jsonl.xz"), ("pairs_test", "put the file", "sha256")),
    "texts no archive": Case("data preferences", texts(lambda raw: raw[:-9]), ("pairs", "cannot be read")),
    "texts no JSON": Case("data preferences", texts(lines(lambda raw: raw + b"{")), ("pairs", "cannot be read")),
    "texts without column": Case(
        "data preferences",
        texts(lines(lambda raw: raw.replace(b"rejected", b"other"))),
        ("no column 'rejected'", "correct"),
    ),
    "text for no one": Case(
        "data preferences",
        texts(lines(lambda raw: json.dumps({"chosen": "a", "rejected": " "}).encode() + b"\n" + raw)),
        ("row 0 has an empty rejected", "drop"),
    ),
}
ARTEFACTS = {
    "bundle absent": Case("weak digits", lambda: None, ("artifacts/data/digits is missing", AGAIN)),
    "bundle a file": Case("weak digits", write("artifacts/data/digits", b""), ("artifacts/data/digits", AGAIN)),
    "item absent": Case("weak synthetic", remove("artifacts/data/synthetic/seed-0.safetensors"), ("seed-0", AGAIN)),
    "arrays cut": Case(
        "weak synthetic", cut("artifacts/data/synthetic/seed-0.safetensors"), ("seed-0.safetensors is damaged", AGAIN)
    ),
    "arrays empty": Case(
        "weak synthetic", write("artifacts/represent/synthetic/seed-0.safetensors", b""), ("is damaged", AGAIN)
    ),
    "table cut": Case(
        "represent preferences", cut("artifacts/data/preferences/pairs.parquet"), ("pairs.parquet is damaged", AGAIN)
    ),
    "unit cut": Case(
        "represent synthetic",
        first_of("artifacts/partial/represent-synthetic/*/*.safetensors", cut),
        ("artifacts/partial", "is damaged", "delete it"),
    ),
    "shard changed": Case(
        "represent preferences",
        without_units(first_of(f"{FEATURES}/*.safetensors", lambda name: cut(name, 0.9))),
        (FEATURES, "corrupted", "delete it"),
    ),
    "shard without hash": Case(
        "represent preferences",
        without_units(first_of(f"{FEATURES}/*.sha256", remove)),
        (FEATURES, "corrupted", "delete it"),
    ),
    "workers": Case("data synthetic", lambda: None, ("W2S_WORKERS is 'many'", "at least 1")),
}
RESULTS = {
    "cells absent": Case("claims", remove(CELLS), (CELLS, "is missing", AGAIN)),
    "cells empty": Case("figures", write(CELLS, b""), (CELLS, "not a readable CSV", RESTORE)),
    "cells no text": Case("claims", write(CELLS, b"\xff\xfe\x00"), (CELLS, "not a readable CSV", RESTORE)),
    "cells cut": Case("claims", cut(CELLS, 0.501), (CELLS, "line", "no finite number", RESTORE)),
    "cells without column": Case(
        "figures", swap(CELLS, b"misfit", b"missfit"), (CELLS, "lacks the column misfit", RESTORE)
    ),
    "cells without rows": Case("claims", lambda: cut_rows(CELLS), (CELLS, "holds no row", AGAIN)),
    "infinite cell": Case("claims", lambda: cell(CELLS, "gain", "inf"), (CELLS, "line 2", "gain", AGAIN)),
    "word in a cell": Case("claims", lambda: cell(CELLS, "misfit", "high"), (CELLS, "line 2", "misfit", AGAIN)),
    "published cells cut": Case(
        "claims",
        write("published/realizability/cells.csv", b"gain\n1\n"),
        ("published/realizability/cells.csv", "lacks", "pipeline.study realizability", RESTORE),
    ),
    "diagram absent": Case("figures", remove("results/kl/reliability.csv"), ("kl/reliability.csv is missing", AGAIN)),
    "claims not judged": Case("report", remove("report/claims.json"), ("report/claims.json is missing", AGAIN)),
    "claims cut": Case("report", cut("report/claims.json"), ("report/claims.json is damaged", AGAIN)),
    "picture absent": Case(
        "report", remove("paper_figures/charikar_fig2b.png"), ("charikar_fig2b.png is missing", "pipeline.figures")
    ),
    "drawn numbers cut": Case(
        "report", cut("paper_figures/charikar_fig2b.json"), ("charikar_fig2b.json is damaged", AGAIN)
    ),
    "metrics cut": Case("readme", write("results/kl/metrics.json", b"{"), ("kl/metrics.json is damaged", AGAIN)),
    "README absent": Case("readme", remove("README.md"), ("README.md", RESTORE)),
    "appendix without marks": Case(
        "readme", write("docs/ARTIFACT.md", b"none"), ("docs/ARTIFACT.md has lost", RESTORE)
    ),
    "times cut": Case("readme", write("docs/measured.json", b"{"), ("docs/measured.json is damaged", RESTORE)),
    "README without marks": Case("readme", write("README.md", b"none"), ("README.md has lost the marks", RESTORE)),
    "fresh cells cut": Case("verify", write(CELLS, b""), (CELLS, "cannot be read", RESTORE)),
}
WORDS = {
    "sources absent": Case("claims", remove("sources.yaml"), ("sources.yaml is missing", "root of the repository")),
    "sources without key": Case(
        "claims", swap("sources.yaml", b"  label: Yao", b"  name: Yao"), ("yao2025.label", "add")
    ),
    "sources link": Case(
        "claims", swap("sources.yaml", b"https", b"ftp"), ("sources.yaml", "charikar2024.link is 'ftp:")
    ),
    "source dropped": Case(
        "claims", swap("sources.yaml", b"yao2025f:", b"yao2025g:"), ("claims/yao2025f.yaml", "add yao")
    ),
    "source dropped later": Case(
        "report", swap("sources.yaml", b"yao2025f:", b"yao2025g:"), ("'yao2025f'", "sources.yaml", "pipeline.claims")
    ),
    "claims absent": Case("claims", remove(CLAIMS), (f"{CLAIMS} is missing", RESTORE)),
    "claims no YAML": Case("claims", write(CLAIMS, b"- id: ["), (CLAIMS, "not valid YAML")),
    "claims not text": Case("claims", write(CLAIMS, b"\xff\xfe"), (CLAIMS, RESTORE)),
    "claims empty": Case("claims", write(CLAIMS, b"[]"), (f"{CLAIMS} holds no list", RESTORE)),
    "claims without group": Case("claims", write(CLAIMS, b"- id: toy"), (CLAIMS, "group 1", "no list under `claims`")),
    "claim with date": Case(
        "claims", swap(CLAIMS, b"panel: realizable", b"panel: 2020-01-01"), (CLAIMS, "realizable_equality", "no plain")
    ),
    "claim without band": Case("claims", judged(CLAIM | {"expected": {}}), ("toy.expected is {}", "give low, high")),
    "claim of no figure": Case("claims", judged(CLAIM | {"figure": "fig9"}), ("toy.figure is 'fig9'", "choose from")),
    "claim twice": Case("claims", judged(CLAIM, CLAIM), (f"{CLAIMS}: toy.id is 'toy'", "give each claim its own")),
    "claim in two files": Case(
        "claims",
        judged(CLAIM | {"id": "kl_bound"}),
        ("claims/yao2025.yaml: kl_bound.id", f"{CLAIMS} has it too", "its own"),
    ),
    "claim on no column": Case(
        "claims",
        judged(CLAIM | {"cells": {"schedule": "joint"}}),
        ("toy.cells.schedule is 'joint'", "no column schedule", "panel, dataset", "choose one"),
    ),
    "claim on no experiment": Case(
        "claims", judged(CLAIM | {"experiment": "synthetik"}), ("toy.experiment is 'synthetik'", "choose one")
    ),
    "claim on no study": Case(
        "claims",
        judged(CLAIM | {"experiment": "published/whine"}),
        ("toy.experiment is 'published/whine'", "published/<study> of a file in studies/"),
    ),
    "notebooks absent": Case("figures", without_notebooks, (GENERIC, "is missing", RESTORE)),
    "notebook cut": Case("figures", cut(NOTEBOOK), (NOTEBOOK, RESTORE)),
    "notebook of no notebook": Case("figures", write(NOTEBOOK, b'{"cells": 3}'), (NOTEBOOK, RESTORE)),
    "notebook with error": Case(
        "figures", swap(NOTEBOOK, b"import", b"import nothing_of_this_name\\nimport"), (NOTEBOOK, "nothing_of")
    ),
    "kernel that dies": Case(
        "figures", write("ipykernel_launcher.py", b"raise SystemExit(1)"), ("Kernel died", "_launcher` says why")
    ),
    "study not run": Case(
        "publish realizability", lambda: None, ("artifacts/results/realizability is missing", "pipeline.study real")
    ),
    "study without metrics": Case(
        "publish realizability",
        lambda: overwrite(
            "artifacts/results/realizability/cells.csv", Path("published/realizability/cells.csv").read_bytes()
        ),
        ("realizability/metrics.json is missing", AGAIN),
    ),
    "study unknown": Case("publish nothing", lambda: None, ("nothing", "known: ")),
    "study that is none": Case("publish kl", lambda: None, ("kl belongs to the main job", "name a study")),
    "stage's time cut": Case(
        "appendix", write("artifacts/runtime/data-synthetic.json", b"{"), ("data-synthetic.json is damaged",)
    ),
    "manifest cut": Case(
        "publish --check",
        write("published/realizability/manifest.json", b"{"),
        ("realizability/manifest.json is damaged",),
    ),
    "manifest without settings": Case(
        "publish --check",
        write("published/realizability/manifest.json", b"{}"),
        ("realizability/manifest.json", "lacks study", RESTORE),
    ),
    "manifest of other settings": Case(
        "publish --check",
        write("published/realizability/manifest.json", b'{"study": "realizability", "params": {}}'),
        ("published/realizability", "other settings", "pipeline.publish realizability"),
    ),
    "lock cut": Case("reproduce --dry", write("dvc.lock", b"schema: '2.0'\nstages:\n  a: ["), ("dvc.lock", RESTORE)),
    "lock of conflict": Case("reproduce --dry", write("dvc.lock", b"<<<<<<< HEAD\n"), ("dvc.lock", RESTORE)),
}
GROUPS = (PARAMS, DATA, ARTEFACTS, RESULTS, WORDS)
CASES = {name: case for group in GROUPS for name, case in group.items()}
