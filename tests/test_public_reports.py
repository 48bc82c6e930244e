"""What users of work of this kind have reported: each small input ends in one line, early, or simply works."""

import csv
import hashlib
import io
import json
import lzma
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, PreTrainedTokenizerFast, T5Config, T5Model

from pipeline import git, publish
from pipeline.core import artifacts, cells, experiments, files, parallel, stage
from pipeline.core.errors import InputError
from pipeline.core.files import File
from pipeline.experiments.preferences import represent
from pipeline.experiments.preferences.common import texts
from pipeline.figures import __main__ as drawn
from pipeline.models.network import compiled
from pipeline.theory import calibration
from tests.conftest import ROOT
from tests.tiny_language import tiny_study, write_lines

Block = dict[str, Any]
Change = Callable[[Block], object]
ESOL = "moleculenet/delaney-processed.csv"


def value(*path: str, to: Any) -> Change:
    """Another value in a block of settings."""

    def change(block: Block) -> None:
        for key in path[:-1]:
            block = block[key]
        block[path[-1]] = to

    return change


def called(path: tuple[str, ...], old: str, new: str) -> Change:
    """Another name for an entry of a table."""

    def change(block: Block) -> None:
        for key in path:
            block = block[key]
        block[new] = block.pop(old)

    return change


def without(name: str) -> Change:
    return lambda block: block["data"]["datasets"].pop(name)


def questions(labels: list[Any], **changed: Any) -> Change:
    """The set of questions with these labels."""

    def change(block: Block) -> None:
        entry = block["data"]["datasets"]["questions"]
        rows = [
            {"ask": f"Q: {i} how A: {('no', 'gladly')[bool(label)]}", "good": label} for i, label in enumerate(labels)
        ]
        entry["source"]["pool"] = write_lines(Path("data/q.jsonl.xz"), rows)
        entry.update(changed)

    return change


def pairs(edit: Callable[[bytes], bytes], ending: str = ".jsonl.xz") -> Change:
    """The test part of the set of pairs with other bytes."""

    def change(block: Block) -> None:
        source = block["data"]["datasets"]["pairs"]["source"]
        path = Path(f"data/edited{ending}")
        content = edit(lzma.decompress(Path("data", source["test"]["path"]).read_bytes()))
        path.write_bytes(lzma.compress(content) if ending.endswith(".xz") else content)
        source["test"] = {"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    return change


def equal(raw: bytes) -> bytes:
    rows = [json.loads(line) for line in raw.splitlines()]
    return "".join(json.dumps({**row, "rejected": row["chosen"]}) + "\n" for row in rows).encode()


def turned(raw: bytes) -> bytes:
    """Every pair once more, the other way round."""
    rows = [json.loads(line) for line in raw.splitlines()]
    both = [*rows, *({"chosen": row["rejected"], "rejected": row["chosen"]} for row in rows)]
    return "".join(json.dumps(row) + "\n" for row in both).encode()


def table(raw: bytes) -> bytes:
    """As CSV, the columns exchanged for numbers."""
    return b"chosen,rejected\n" + b"".join(b"%d,%d\n" % (i, i + 1) for i in range(40))


SETS = ("data", "datasets")
SETTINGS = {
    "advice followed": (without("questions"), "represent.float32_rows is 'questions', which is not in data.datasets"),
    "advice followed, finetuned": (
        without("pairs"),
        "strong.full.datasets[0] is 'pairs', which is not in data.datasets",
    ),
    "a dot in a set": (called(SETS, "pairs", "hh.harmless"), "hh.harmless is 'hh.harmless'; take letters"),
    "a slash in a set": (called(SETS, "pairs", "Anthropic/hh-rlhf"), "take letters, digits"),
    "a bracket in a set": (called(SETS, "pairs", "hh[1]"), "take letters, digits"),
    "dashes in a model": (called(("represent", "models"), "tiny", "models--gpt2"), "take letters, digits"),
    "a slash in a teacher": (called(("weak", "teachers"), "low", "openai-community/gpt2"), "take letters, digits"),
    "a typo in a rung": (
        value("weak", "teachers", "low", "rung", to="lov"),
        "weak.teachers.low.rung is 'lov', which is not in represent.ladder; did you mean low?",
    ),
    "a loss twice": (value("strong", "losses", to=["cross_entropy"] * 2), "losses holds 'cross_entropy' twice"),
    "a seed twice": (value("weak", "seeds", to=[0, 0]), "weak: seeds holds 0 twice"),
    "labels beyond the rows": (
        value("weak", "teachers", "low", "labels", to=5000),
        "is 5000, more than the 40 rows of",
    ),
    "fewer test rows than bins": (
        value("evaluate", "bins", to=33),
        "evaluate.bins is 33, more than the 32 rows of data.datasets.pairs.sizes.test",
    ),
    "a hash cut": (
        value(*SETS, "pairs", "source", "test", "sha256", to="0" * 63),
        f"sha256 is '{'0' * 63}'; give the 64 lower-case hexadecimal digits",
    ),
    "a column twice": (
        value(*SETS, "pairs", "columns", "rejected", to="chosen"),
        "is 'chosen', which plays another role",
    ),
    "a role lacking": (value(*SETS, "questions", "columns", to={"text": "ask"}), "needs label as well"),
}
TEXTS = {
    "one class by three in a hundred": (
        questions([i % 33 > 0 for i in range(130)]),
        "rows have the label 0; at least 20",
    ),
    "one class only": (questions([1] * 130), "0 of 120 rows have the label 0"),
    "words for labels": (
        questions(["yes", "no"] * 65),
        "the label 'yes'; say which of 'yes', 'no' is 1 as `positive:`",
    ),
    "another word positive": (questions(["yes", "no"] * 65, positive="ja"), "not two words with 'ja' among them"),
    "text and label exchanged": (
        questions([0, 1] * 65, columns={"text": "good", "label": "ask"}),
        "has a number under 'good', where text needs text",
    ),
    "numbers for texts": (pairs(table, ".csv"), "all of 'chosen' are numbers, as '0', where chosen needs text"),
    "an object for a text": (
        pairs(lambda raw: raw.replace(b'"chosen": "', b'"chosen": 3, "x": "')),
        "has a number under",
    ),
    "no separator": (value(*SETS, "pairs", "separator", to="###"), "no chosen holds the separator '###'"),
    "Latin-1": (pairs(lambda raw: raw.replace(b"gladly", b"gl\xe4dly", 1)), "not UTF-8 (byte 0xe4 in line 1); save it"),
    "empty": (pairs(lambda raw: b""), "cannot be read as lines of JSON: it is empty"),
    "no kind of table": (pairs(lambda raw: raw, ".txt"), "its ending says no kind of table"),
    "equal pairs alone": (pairs(equal), "test: no row is left"),
    "contradictions": (pairs(turned), "rows stand with another label, or the other way round"),
    "a wrong hash": (
        value(*SETS, "pairs", "source", "test", "sha256", to="0" * 64),
        "record the sha256 that it has now: ",
    ),
    "no set at hand": (
        lambda block: [
            value(*SETS, "pairs", "source", "truth", "path", to="x.jsonl")(block),
            value(*SETS, "questions", "source", "pool", "path", to="y.jsonl")(block),
        ],
        "has the files of no text set of data.datasets",
    ),
}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes params.yaml of a tiny study in an empty folder, changed at will."""
    return tiny_study(tmp_path, monkeypatch)


def refused(verb: str, name: str = "preferences") -> str:
    """The one line in which a stage ends."""
    with pytest.raises(InputError) as caught:
        stage.run(verb, name)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 400, line
    return line


@pytest.mark.parametrize("name", [*SETTINGS, *TEXTS])
def test_a_text_set_at_fault_ends_in_data(name: str, study: Callable[..., None]) -> None:
    change, words = {**SETTINGS, **TEXTS}[name]
    study(change)
    line = refused("data")
    assert words in line and ("studies/preferences.yaml" in line) >= (name in SETTINGS), line


def test_a_set_with_a_loading_script_is_told_the_remedy(study: Callable[..., None]) -> None:
    Path("jokes").mkdir()
    Path("jokes/jokes.py").write_text("import datasets\n")
    source = {"name": "./jokes", "revision": "0" * 40, "splits": {"pool": "train"}}
    study(value(*SETS, "questions", "source", to=source))
    assert "take a revision that holds data files" in refused("data")


def frozen(block: Block) -> None:
    """No network is finetuned: that takes longest."""
    block["strong"]["full"]["datasets"] = []


def test_a_student_like_its_teacher_has_no_misfit_and_a_set_of_the_mirror_is_left_out(
    study: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    def slow(block: Block) -> None:
        frozen(block)
        for part in (block["weak"], block["strong"]):
            part["fit"]["learning_rate"] = 1e-6
        block["strong"]["curves"]["learning_rates"] = [1e-6]
        value(*SETS, "questions", "source", "pool", "path", to="no.jsonl")(block)

    study(slow)
    for verb in experiments.VERBS:
        stage.run(verb, "preferences")
    table = cells.read(Path("artifacts/results/preferences/cells.csv"))
    assert (table["misfit"].abs() < 1e-6).all() and (table["misfit"] >= 0).all()
    assert "text set 'questions' is left out: " in capfd.readouterr().err and set(table["dataset"]) == {"pairs"}
    assert json.loads(Path("artifacts/results/preferences/metrics.json").read_text())["left_out"] == ["questions"]


def test_prompts_are_the_text_where_no_separator_is_given() -> None:
    assert texts.prompt("How, do I? A: no", None) == "how do i a no" and texts.prompt("How? A: no", " A: ") == "how"


TINY = {"vocab_size": 22}


def tokenizer(**roles: str) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        known = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
        (model / "tokenizer_config.json").unlink()
        made = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.Whitespace()
        PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", **roles).save_pretrained(model)

    return change


def wider(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"hidden_size": 32}))


def pointer(model: Path) -> None:
    (model / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")


def network(kind: Any, config: Any) -> Callable[[Path], None]:
    return lambda model: kind(config).save_pretrained(model)


SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
MODELS = {
    "pointer": (pointer, "a git-lfs pointer, or cut"),
    "no padding": (tokenizer(), "neither a pad_token nor an eos_token"),
    "padding beyond the embeddings": (tokenizer(pad_token="[PAD]"), "the pad_token [PAD] has the number 21"),
    "other shapes": (wider, "other shapes than config.json says"),
    "few positions": (
        network(GPT2Model, GPT2Config(**TINY, n_embd=16, n_layer=2, n_head=2, n_positions=8)),
        "represent.max_tokens of studies/preferences.yaml is 24; tiny has positions for 8",
    ),
    "few positions of BERT": (
        network(BertModel, BertConfig(**TINY, **SMALL, max_position_embeddings=8)),
        "tiny has positions for 8; lower it",
    ),
    "encoder and decoder": (
        network(T5Model, T5Config(**TINY, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)),
        "a network of encoder and decoder is not supported",
    ),
}


@pytest.fixture(scope="module")
def read_by(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose stage data is done."""
    home = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        tiny_study(home, patch)(frozen)
        stage.run("data", "preferences")
    return home


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_cannot_read_is_one_line(
    name: str, read_by: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    spoil, words = MODELS[name]
    home = shutil.copytree(read_by, tmp_path / "copy")
    block = YAML(typ="safe").load(home / "studies/preferences.yaml")
    block["represent"]["models"]["tiny"]["name"] = str(home / "model")
    YAML().dump(block, home / "studies/preferences.yaml")
    spoil(home / "model")
    monkeypatch.chdir(home)
    settings = experiments.load("preferences")
    upstream = {"data": artifacts.Bundle(artifacts.folder("data", "preferences"))}
    monkeypatch.setattr(parallel.Pool, "map", lambda pool, function, units: {n: function(*a) for n, a in units.items()})
    with pytest.raises(InputError) as caught, settings.named():
        represent.run(settings.until("represent"), upstream, parallel.Pool("", tmp_path))
    line = str(caught.value)
    assert words in line and "\n" not in line and "studies/preferences.yaml" in line, line


def smiles(text: str) -> Callable[[bytes], bytes]:
    """The molecule of row 1."""

    def edit(raw: bytes) -> bytes:
        lines = raw.decode().split("\n")
        lines[2] = lines[2].rsplit(",", 1)[0] + "," + text
        return "\n".join(lines).encode()

    return edit


def cells_of(change: Callable[[list[str]], list[str]], **dialect: Any) -> Callable[[bytes], bytes]:
    """Every row of the table changed, written in another dialect."""

    def edit(raw: bytes) -> bytes:
        rows, out = list(csv.reader(io.StringIO(raw.decode()))), io.StringIO()
        csv.writer(out, lineterminator="\n", **dialect).writerows([rows[0], *map(change, rows[1:])])
        return out.getvalue().encode()

    return edit


def commas(row: list[str]) -> list[str]:
    return [*(cell.replace(".", ",") for cell in row[:9]), *row[9:]]


TABLES = {
    "no SMILES": (smiles(""), "row 1 has no SMILES ('')"),
    "SMILES not available": (smiles("NA"), "row 1 has no SMILES ('NA')"),
    "SMILES nan": (smiles("nan"), "row 1 has no SMILES ('nan')"),
    "long": (smiles("C" * 511), "row 1 has 511 tokens, the models read 510; leave it out"),
    "huge": (smiles("C" * 40000), "row 1: a SMILES of 40000 characters"),
    "semicolons": (cells_of(commas, delimiter=";"), "is the separator ';'?"),
    "UTF-16": (lambda raw: raw.decode().encode("utf-16"), "not UTF-8 but UTF-16"),
    "Latin-1": (lambda raw: raw.replace(b"Amigdalin", b"Amigdal\xefn", 1), "not UTF-8 (byte 0xef in line 2)"),
    "empty": (lambda raw: b"", "it is empty"),
    "open quote": (lambda raw: raw.replace(b"\nFenfuram", b'\n"Fenfuram', 1), "close the quotes"),
    "comma at the end": (
        lambda raw: raw.replace(b"\n", b",\n").replace(b",\n", b"\n", 1),
        "line 2 has 11 fields, the header 10",
    ),
    "constant": (cells_of(lambda row: [*row[:8], "1.5", *row[9:]]), "all labels under 'measured log solubility"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_molecules_at_fault_ends_in_data(
    name: str, write_params: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit, words = TABLES[name]
    known = YAML(typ="safe").load(Path("params.yaml"))["molecules"]["data"]["files"]
    Path("data/moleculenet").mkdir(parents=True)
    Path("data", ESOL).write_bytes(edit((ROOT / "data" / ESOL).read_bytes()))
    esol = {"path": ESOL, "sha256": hashlib.sha256(Path("data", ESOL).read_bytes()).hexdigest()}
    write_params(molecules__data__datasets=["esol"], molecules__data__files={**known, "esol": esol})
    assert words in refused("data", "molecules")


def test_a_split_twice_is_refused(write_params: Callable[..., None]) -> None:
    write_params(molecules__data__splits={"chembench": ["122", "122"], "random": 0})
    told = refused("data", "molecules")
    assert "molecules.data.splits" in told and "chembench holds '122' twice" in told


def test_an_alias_to_itself_is_refused(write_params: Callable[..., None]) -> None:
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("weak_sigma: 0.05", "weak_sigma: &a [*a]", 1))
    assert "holds a value that is no plain number" in refused("data", "synthetic")


def test_a_superscript_is_no_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("W2S_WORKERS", "²")
    with pytest.raises(InputError, match="W2S_WORKERS is '²'; give a whole number"):
        parallel.workers()


def test_no_order_of_equal_values_changes_a_calibration_error() -> None:
    right = np.repeat([1.0, 0.0], [750, 250])
    predicted = np.tile([0.25, 0.75], (1000, 1))
    for rows in (np.arange(1000), np.random.default_rng(0).permutation(1000)):
        outcome = np.stack([1 - right, right], 1)[rows]
        assert calibration.top_label_error(predicted, outcome, 10, "mass") == pytest.approx(0)
        assert calibration.debiased_top_label_error(predicted, outcome, 10) == pytest.approx(0)


def test_line_ends_of_windows_are_named_and_git_leaves_them_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = (ROOT / "data" / ESOL).read_bytes()
    file = File(path=ESOL, sha256=hashlib.sha256(content).hexdigest())
    Path("data/moleculenet").mkdir(parents=True)
    Path("data/SHA256SUMS").write_text(f"{file.sha256}  {ESOL}\n")
    Path("data", ESOL).write_bytes(content.replace(b"\n", b"\r\n"))
    with pytest.raises(InputError, match=r"line ends of Windows, .*core\.autocrlf false.*git checkout"):
        files.found("data set esol", file)
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    told = subprocess.run(
        ["git", "check-attr", "text", "data/x.csv", "run.sh"], capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == ["data/x.csv: text: unset", "run.sh: text: unset"]


FAKE_GIT = """#!/bin/sh
echo "fatal: detected dubious ownership in repository at '$PWD'" >&2
exit 128
"""


def test_a_folder_of_another_user_is_told_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("git").write_text(FAKE_GIT)
    Path("git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    for ask in (lambda: git.text("rev-parse", "HEAD"), publish.revision):
        with pytest.raises(InputError, match="git config --global --add safe.directory"):
            ask()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="install git"):
        publish.revision()


def test_no_manifest_claims_clean_code_of_no_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert publish.revision() == "unknown+changes"


def test_a_notebook_without_metadata_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked: dict[str, Any] = {}
    Path("a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    monkeypatch.setattr(drawn.papermill, "execute_notebook", lambda *given, **options: asked.update(options))
    drawn._run(Path("a.ipynb"), Path("b.ipynb"), {})
    assert asked["language"] == "python" and asked["kernel_name"] == "python3"


def test_sources_that_nobody_can_write_have_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(tmp_path / "file").write_text("")
    monkeypatch.setattr(compiled, "_CACHE", str(tmp_path / "file" / "kernels"))  # below a file there is no folder
    assert compiled.kernel(lambda x: x + 1)(1) == 2
    told = "from pipeline.models.network import compiled; print(compiled._CACHE)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "numba"), "W2S_KERNELS": ""}
    done = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent == tmp_path / "numba"


def test_bundles_of_a_shared_folder_go_by_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o002)
    try:
        for _ in range(2):  # the second replaces the first
            artifacts.write("data", "shared", {"plain": [1], "arrays": {"x": np.ones(2)}})
    finally:
        os.umask(before)
    folder = artifacts.folder("data", "shared")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o664} and stat.S_IMODE(folder.stat().st_mode) == 0o775

    def forbidden(path: Path, **_: Any) -> None:
        raise PermissionError(13, "Permission denied", f"{path}/plain.json")

    monkeypatch.setattr(artifacts.shutil, "rmtree", lambda path, ignore_errors=False: ignore_errors or forbidden(path))
    with pytest.raises(PermissionError, match="plain.json"):
        artifacts.write("data", "shared", {"plain": [2]})
