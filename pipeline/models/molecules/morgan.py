"""Hashed Morgan counts: a ladder of representations that nobody trained, as a control."""

from collections.abc import Sequence

import numpy as np
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator


def represent(smiles: Sequence[str], bits: int, radius: int) -> np.ndarray:
    """How often each hashed atom environment up to ``radius`` bonds occurs, shape (molecules, bits), float32."""
    generator = GetMorganGenerator(radius=radius, fpSize=bits)
    counts = [generator.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(text)) for text in smiles]
    return np.stack(counts).astype(np.float32)
