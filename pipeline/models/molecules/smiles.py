"""SMILES as sequences of tokens, and the physico-chemical descriptors that pretraining predicts from them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors

from pipeline.core.errors import InputError
from pipeline.models.molecules.special import END, PAD, SPECIAL, START, UNKNOWN

HUGE = 10_000  # characters; beyond some 10,000 atoms RDKit ends the process without a word
LONGEST = 510  # tokens of a molecule that the models read, START and END not counted
# One token an atom: a bracket with all it holds, a two-letter halogen, a two-digit ring closure, or one character.
TOKEN = re.compile(r"\[[^\]]+\]|Br|Cl|%\d\d|.")


def parse(smiles: str, where: str) -> Chem.Mol:
    """Molecule of a SMILES.  Raises InputError that names ``where`` it stands when RDKit cannot read it."""
    if len(smiles) > HUGE:
        raise InputError(f"{where}: a SMILES of {len(smiles)} characters is more than RDKit can take; leave it out")
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        raise InputError(f"{where}: '{smiles}' is not a SMILES that RDKit can read; correct or restore the file")
    return molecule


def permuted(molecule: Chem.Mol, seed: int) -> str:
    """The molecule's SMILES written from a random atom on, as MolBERT does to its training molecules."""
    return Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed)[0]


def descriptors(molecule: Chem.Mol, calculator: rdMolDescriptors.Properties) -> np.ndarray:
    """RDKit descriptors of one molecule, shape (descriptors,), in their own units."""
    return np.array(calculator.ComputeProperties(molecule), dtype=np.float64)


def calculator(names: Sequence[str]) -> rdMolDescriptors.Properties:
    """RDKit's calculator of the named descriptors.  Raises InputError that names an unknown one."""
    known = set(rdMolDescriptors.Properties.GetAvailableProperties())
    for name in names:
        if name not in known:
            raise InputError(
                f"params.yaml: descriptor '{name}' is unknown to RDKit; choose from {', '.join(sorted(known))}"
            )
    return rdMolDescriptors.Properties(list(names))


def standardised(values: np.ndarray, clip: float) -> np.ndarray:
    """Columns with mean 0 and deviation 1, cut off at ``clip`` deviations; a constant column becomes zero."""
    deviation = values.std(axis=0)
    centred = values - values.mean(axis=0)
    return np.clip(np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0), -clip, clip)


def tokens(smiles: str) -> list[str]:
    """Tokens of a SMILES; joined they give it back."""
    return TOKEN.findall(smiles)


def vocabulary(corpus: Iterable[str], rarest: int) -> list[str]:
    """The special tokens, then those seen at least ``rarest`` times, the most frequent first."""
    counts = Counter(token for smiles in corpus for token in tokens(smiles))
    frequent = sorted(
        (token for token, count in counts.items() if count >= rarest), key=lambda token: (-counts[token], token)
    )
    return [*SPECIAL, *frequent]


def encode(smiles: Sequence[str], words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Token numbers, shape (molecules, longest), int16, filled up with PAD, and lengths, shape (molecules,), int16.

    Each sequence stands between START and END; a token outside the vocabulary is UNKNOWN.
    """
    number = {word: index for index, word in enumerate(words)}
    rows = [[START, *(number.get(token, UNKNOWN) for token in tokens(text)), END] for text in smiles]
    lengths = np.array([len(row) for row in rows], dtype=np.int16)
    encoded = np.full((len(rows), lengths.max(initial=0)), PAD, dtype=np.int16)
    for line, row in zip(encoded, rows, strict=True):
        line[: len(row)] = row
    return encoded, lengths
