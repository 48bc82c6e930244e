"""Draw the molecules for pretraining.  <mirror>/smiles/smiles_corpus_v1.txt.xz -> data/smiles/chembl_subset.txt.xz

    python data/smiles/make_subset.py [--check]

The mirror is the folder in W2S_MIRROR, by default ../shared/data.
With --check nothing is written: the exit code says whether the shipped file is what this script makes.
"""

import hashlib
import itertools
import lzma
import os
import sys
from pathlib import Path

import pandas as pd
from rdkit import Chem, RDLogger

HERE = Path(__file__).resolve().parent
CORPUS_SHA256 = "444e4f5df706c6e63125b7b94e1dfbf3b673f7e1a5cc3990cff0590c0f4b0ca4"
CHEMBL_LINES = 429_084  # every line up to here comes from ChEMBL, the others do not
MOLECULES = 48_000
LONGEST = 60  # characters; short sequences keep pretraining cheap
HEAVY_ATOMS = range(6, 37)
ELEMENTS = {"C", "N", "O", "F", "P", "S", "Cl", "Br", "I"}
DOWNSTREAM = ("delaney-processed.csv", "SAMPL.csv", "Lipophilicity.csv")


def main() -> None:
    """Write the subset, or with --check compare it with the shipped file."""
    RDLogger.DisableLog("rdApp.*")
    content = ("\n".join(subset(corpus())) + "\n").encode()
    packed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    target = HERE / "chembl_subset.txt.xz"
    if "--check" in sys.argv[1:]:
        same = target.exists() and lzma.decompress(target.read_bytes()) == content
        sys.exit(0 if same else f"{target} is not the subset of this corpus; run without --check to make it anew")
    target.write_bytes(packed)
    print(f"{target.name}: {len(packed)} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")


def corpus() -> list[str]:
    """Lines of the corpus that come from ChEMBL."""
    path = (
        Path(os.environ.get("W2S_MIRROR", HERE.parents[1] / ".." / "shared" / "data"))
        / "smiles"
        / "smiles_corpus_v1.txt.xz"
    )
    if not path.exists():
        sys.exit(f"{path} is missing; set W2S_MIRROR to the folder that holds smiles/smiles_corpus_v1.txt.xz")
    packed = path.read_bytes()
    if hashlib.sha256(packed).hexdigest() != CORPUS_SHA256:
        sys.exit(f"{path} has another sha256 than {CORPUS_SHA256}; fetch the corpus again")
    return list(itertools.islice(lzma.decompress(packed).decode().splitlines(), CHEMBL_LINES))


def subset(lines: list[str]) -> list[str]:
    """The first MOLECULES lines, by sha256 of the SMILES, that are drug-like and not downstream; in alphabetical order.

    Ordering by hash is a draw at random that anyone can repeat; sorting the outcome makes it compress better.
    """
    smiles, keys = downstream()
    drawn: list[str] = []
    seen: set[str] = set()
    for line in sorted(lines, key=lambda text: hashlib.sha256(text.encode()).digest()):
        molecule = drug_like(line)
        if molecule is None:
            continue
        key = Chem.MolToInchiKey(molecule)[:14]
        if key and key not in keys and key not in seen and Chem.MolToSmiles(molecule) not in smiles:
            seen.add(key)
            drawn.append(line)
        if len(drawn) == MOLECULES:
            break
    return sorted(drawn)


def drug_like(line: str) -> Chem.Mol | None:
    """Molecule of the line when it is one short, organic fragment of a drug's size."""
    molecule = Chem.MolFromSmiles(line) if len(line) <= LONGEST and "." not in line else None
    if molecule is None or molecule.GetNumAtoms() not in HEAVY_ATOMS:
        return None
    return (
        molecule
        if all(atom.GetSymbol() in ELEMENTS and not atom.GetIsotope() for atom in molecule.GetAtoms())
        else None
    )


def downstream() -> tuple[set[str], set[str]]:
    """Canonical SMILES and InChIKey first blocks (connectivity) of every molecule of the three data sets."""
    tables = [pd.read_csv(HERE.parent / "moleculenet" / name)["smiles"] for name in DOWNSTREAM]
    molecules = [Chem.MolFromSmiles(text.strip()) for text in pd.concat(tables)]
    return {Chem.MolToSmiles(molecule) for molecule in molecules}, {
        Chem.MolToInchiKey(molecule)[:14] for molecule in molecules
    }


if __name__ == "__main__":
    main()
