"""The whole pipeline at tiny size in three clones that differ in all that must not matter, compared byte by byte.

python -m tests.same_bytes [--keep folder]      about 3 minutes a clone
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.clones import DVC, environment, outcomes, tiny_repository, unlike

# Working folder, time zone, language (the last with a decimal comma), order of Python's sets, worker processes.
CONDITIONS = {
    "plain": {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "W2S_WORKERS": "1"},
    "two words/elsewhere": {"TZ": "Asia/Kathmandu", "LC_ALL": "POSIX", "PYTHONHASHSEED": "4711", "W2S_WORKERS": "2"},
    "größe": {"TZ": "America/St_Johns", "LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "random", "W2S_WORKERS": "2"},
}


def main() -> int:
    """Exit code 0 when all clones hold the same files with the same bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for the clones; by default they are thrown away")
    kept = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as scratch:
        home = kept or Path(scratch)
        made = {name: run(home / name, name, locales(home)) for name in CONDITIONS}
    first, *others = made
    different = {name: list(unlike(made[first], made[name])) for name in others}
    for name, files in different.items():
        print(f"'{first}' and '{name}': {len(made[first])} files, {len(files)} differ {', '.join(files)}".rstrip())
    return int(any(different.values()))


def run(folder: Path, name: str, places: Path) -> dict[str, str]:
    """sha256 of each outcome of one run."""
    folder.mkdir(parents=True, exist_ok=True)
    clone, started = tiny_repository(folder), time.perf_counter()
    conditions = environment(**CONDITIONS[name], LOCPATH=str(places))
    subprocess.run([*DVC, "repro", "--quiet"], cwd=clone, env=conditions, check=True)
    print(f"'{name}': {time.perf_counter() - started:.0f} s under {CONDITIONS[name]}", file=sys.stderr)
    return outcomes(clone)


def locales(home: Path) -> Path:
    """Folder with a compiled German locale, which few machines have at hand."""
    folder = home / "locales"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["localedef", "--no-archive", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")]
    subprocess.run(command, check=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
