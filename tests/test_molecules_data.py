"""The shipped molecules: hashes, leak guards, splits, and every way in which the files can be wrong."""

import hashlib
import json
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from rdkit import Chem, RDLogger

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.core.files import File
from pipeline.experiments.molecules import data
from pipeline.experiments.molecules.common import files
from pipeline.models.molecules import smiles

Tamper = Callable[[str, Callable[[bytes], bytes]], File]
ESOL = "moleculenet/delaney-processed.csv"


DATA = experiments.load("molecules", ROOT / "params.yaml").settings.data


@pytest.fixture
def tamper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tamper:
    """A copy of data/ to work in; changes one file and returns it with its new hash, as if that were recorded."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)

    def change(name: str, edit: Callable[[bytes], bytes]) -> File:
        path = tmp_path / "data" / name
        path.write_bytes(edit(path.read_bytes()))
        return File(path=name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    return change


def atoms_and_bonds(molecule: Chem.Mol) -> tuple[tuple[int, int], ...]:
    """Elements and degrees of the heavy atoms: equal wherever the InChIKey's first block is equal."""
    return tuple(
        sorted((atom.GetAtomicNum(), atom.GetDegree()) for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1)
    )


def test_every_shipped_file_has_its_recorded_hash() -> None:
    recorded = dict(reversed(line.split()) for line in (ROOT / "data/SHA256SUMS").read_text().splitlines())
    shipped = {path for path in (ROOT / "data").rglob("*") if path.suffix in (".csv", ".json", ".xz")}
    assert {ROOT / "data" / name for name in recorded} == shipped
    for name, digest in recorded.items():
        assert hashlib.sha256((ROOT / "data" / name).read_bytes()).hexdigest() == digest
    for file in (DATA.corpus.source, *DATA.files.values()):
        assert recorded[file.path] == file.sha256


def test_no_downstream_molecule_is_in_the_pretraining_corpus() -> None:
    """InChIKeys are slow, so they are compared only where elements and degrees agree, which they imply."""
    RDLogger.DisableLog("rdApp.*")
    packed = ROOT / "data" / DATA.corpus.source.path
    assert packed.stat().st_size < 1_000_000
    lines = lzma.decompress(packed.read_bytes()).decode().splitlines()
    assert len(lines) == len(set(lines)) == 48_000
    downstream = [
        Chem.MolFromSmiles(text.strip())
        for name in DATA.datasets
        for text in pd.read_csv(ROOT / "data" / DATA.files[name].path)["smiles"]
    ]
    # The corpus is written by RDKit, canonically, so equal molecules are equal lines.
    assert not {Chem.MolToSmiles(molecule) for molecule in downstream} & set(lines)
    keys = {Chem.MolToInchiKey(molecule)[:14] for molecule in downstream}
    outlines = {atoms_and_bonds(molecule) for molecule in downstream}
    parameters = Chem.SmilesParserParams()
    parameters.sanitize = False
    alike = [line for line in lines if atoms_and_bonds(Chem.MolFromSmiles(line, parameters)) in outlines]
    assert len(alike) < len(lines) / 4
    assert not {Chem.MolToInchiKey(Chem.MolFromSmiles(line))[:14] for line in alike} & keys


@pytest.mark.parametrize("name", files.SOURCES)
def test_parts_and_halves_of_every_split_are_disjoint(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, texts, labels = files.dataset(name, DATA.files[name])
    assert len(texts) == len(labels) == {"esol": 1128, "freesolv": 642, "lipop": 4200}[name]
    for seed in ("122", "123", "124"):
        parts = data.split(name, seed, len(texts), DATA)
        rows = np.concatenate([parts[part] for part in files.PARTS])
        assert sorted(rows) == list(range(len(texts)))
        halves = [set(parts[half].tolist()) for half in ("teacher_half", "student_half")]
        assert not halves[0] & halves[1] and halves[0] | halves[1] == set(parts["train"].tolist())
        assert abs(len(halves[0]) - len(halves[1])) <= 1


def test_random_splits_are_permutations_in_fixed_shares_and_differ() -> None:
    parts = {name: data.split("esol", name, 1128, DATA) for name in ("r0", "r1")}
    for split in parts.values():
        assert [len(split[part]) for part in files.PARTS] == [902, 112, 114]
        assert sorted(np.concatenate([split[part] for part in files.PARTS])) == list(range(1128))
    assert len(set(parts["r0"]["test"]) & set(parts["r1"]["test"])) < 40  # 11.5 by chance
    again = data.split("esol", "r0", 1128, DATA)
    assert all((again[part] == parts["r0"][part]).all() for part in parts["r0"])


def test_a_missing_file_is_named_with_its_remedy(tamper: Tamper, tmp_path: Path) -> None:
    (tmp_path / "data" / ESOL).unlink()
    with pytest.raises(
        InputError, match=r"delaney-processed.csv is missing .*; restore it with `git checkout data/molec"
    ):
        files.dataset("esol", DATA.files["esol"])


def test_a_truncated_file_is_refused(tmp_path: Path, tamper: Tamper) -> None:
    path = tmp_path / "data" / DATA.corpus.source.path
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"chembl_subset.txt.xz .* is truncated or altered; .* [0-9a-f]{64}"):
        files.corpus(DATA.corpus.source)


def test_a_label_that_is_no_number_names_its_row(tamper: Tamper) -> None:
    file = tamper(ESOL, lambda raw: raw.replace(b",-0.77,", b",none,", 1))
    with pytest.raises(InputError, match=r"delaney-processed.csv: row 0 has the label 'none'.*not a number"):
        files.dataset("esol", file)


def test_a_smiles_that_cannot_be_read_names_its_row(tamper: Tamper) -> None:
    file = tamper(ESOL, lambda raw: raw.replace(b"Cc1occc1C(=O)Nc2ccccc2", b"Cc1occc1C(=O)Nc2cccc", 1))
    path, texts, _ = files.dataset("esol", file)
    with pytest.raises(InputError, match=r"delaney-processed.csv: row 1: 'Cc1occc1C\(=O\)Nc2cccc' is not a SMILES"):
        data.canonical(path, texts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts: parts["test"].append(10), "test holds row 10, but rows go from 0 to 9"),
        (lambda parts: parts["valid"].append(-1), "valid holds row -1"),
        (lambda parts: parts["valid"].append("3"), "valid holds row 3"),
        (lambda parts: parts["test"].append(0), "row 0 is in train and again in test"),
        (lambda parts: parts["test"].pop(), "row 9 is in no part"),
    ],
)
def test_a_wrong_split_names_the_row(change: Callable[[dict], object], message: str) -> None:
    parts = {"train": [0, 1, 2, 3, 4, 5], "valid": [6, 7], "test": [8, 9]}
    change(parts)
    with pytest.raises(InputError, match=f"splits.json: esol, split 122: {message}"):
        files.checked(parts, "splits.json: esol, split 122", 10)


def test_the_split_file_is_checked_through_the_loader(tamper: Tamper) -> None:
    def overlap(raw: bytes) -> bytes:
        document = json.loads(raw)
        parts = document["ESOL"]["splits"]["122"]
        parts["test"][0] = parts["train"][0]
        return json.dumps(document).encode()

    file = tamper(DATA.files["splits"].path, overlap)
    with pytest.raises(InputError, match="is in train and again in test"):
        files.split("esol", "122", 1128, file)


def test_an_unknown_descriptor_is_named() -> None:
    with pytest.raises(InputError, match="descriptor 'weight' is unknown to RDKit"):
        smiles.calculator(["exactmw", "weight"])
