"""The main job anew in clones under the instruction sets of other processors, each judged by `make verify`'s command.

python -m tests.processors [--only avx2 sse features] [--experiments molecules ...]      a whole run each

`features`: MiniMol's features moved by relative noise of 1e-6, the size that other kernels make; for onnxruntime
chooses its kernels by the processor itself and follows no variable.  Exit code 0 when every clone passes.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.clones import DVC, commit, copy_repository, environment

NO_AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
# Each library has a variable of its own; together they are the machine.
SETS = {
    "avx2": {
        "OPENBLAS_CORETYPE": "Haswell",
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": NO_AVX512,
    },
    "sse": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NUMBA_CPU_NAME": "nehalem",
        "NUMBA_CPU_FEATURES": "",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "NPY_DISABLE_CPU_FEATURES": f"AVX2 FMA3 {NO_AVX512}",
    },
    "features": {},
}
NOISE = 1e-6
MOVED = f'''

_exact = represent


def represent(smiles: Sequence[str], path: Path) -> np.ndarray:
    """Features as another processor's kernels might give them."""
    exact = _exact(smiles, path)
    noise = np.random.default_rng(len(smiles)).standard_normal(exact.shape)
    return (exact * (1 + {NOISE} * noise)).astype(exact.dtype)
'''


def main() -> int:
    """Run and judge each clone in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--experiments", nargs="+", default=[], help="of the main job; by default all")
    parser.add_argument("--keep", type=Path, help="folder for the clones; by default they are thrown away")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = chosen.keep or Path(scratch)
        return max(run(home / name, name, chosen.experiments) for name in chosen.only)


def run(folder: Path, name: str, experiments: Sequence[str]) -> int:
    """Exit code of `verify` after a run that uses no output of another."""
    folder.mkdir(parents=True, exist_ok=True)
    clone, started = copy_repository(folder), time.perf_counter()
    if name == "features":
        path = clone / "pipeline/models/molecules/minimol.py"
        path.write_text(path.read_text() + MOVED)
        commit(clone, "moved features")  # the results in the commit stay those that came
    # Kernels compiled for this processor must not be found; of two workers none waits for the other.
    own = environment(**SETS[name], W2S_KERNELS=str(folder / "kernels"), W2S_WORKERS="2")
    stages = ["keys"] * bool(experiments) + [f"{verb}@{one}" for one in experiments for verb in verbs(one)]
    last = ["figures", "claims"] if experiments else []
    for target in stages or [""]:
        single = ["--single-item", target] if target else []
        subprocess.run([*DVC, "repro", "--quiet", "--force", "--no-run-cache", *single], cwd=clone, env=own, check=True)
    for target in last:
        command = [*DVC, "repro", "--quiet", "--force", "--single-item", target]
        subprocess.run(command, cwd=clone, env=own, check=True)
    done = subprocess.run([sys.executable, "-m", "pipeline.verify"], cwd=clone, env=own, check=False)
    print(f"'{name}': exit code {done.returncode}, {time.perf_counter() - started:.0f} s", flush=True)
    return done.returncode


def verbs(experiment: str) -> tuple[str, ...]:
    """Verbs of an experiment in their order, with reliability diagrams where it has them."""
    own = ("data", "represent", "weak", "labels", "strong", "evaluate")
    return (*own, "reliability") if experiment in ("kl", "digits") else own


if __name__ == "__main__":
    sys.exit(main())
