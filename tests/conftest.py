"""Tiny settings and a scratch repository for every test that runs stages."""

import os
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
SIZES = Path(__file__).parent / "tiny"
MAIN, STUDIES = "params.yaml", "studies"

# Workers are new processes: they find the package as this one does.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


# Files that take longest, before all others: no worker is left alone with one at the end.  The first waits more than it
# works, the second works on both cores.
LONG = ("test_experiments.py", "test_contract.py", "test_pipeline.py", "test_adding_experiment.py", "test_shards.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, and all others as they come."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


class Tiny:
    """The settings of the repository with the sizes of tests/tiny, to be changed at will and written into a folder."""

    def __init__(self) -> None:
        self.files = deepcopy(_tiny())

    def __getitem__(self, name: str) -> Any:
        main = self.files[MAIN]
        return main[name] if name in main else self.files[f"{STUDIES}/{name}.yaml"]

    def __setitem__(self, name: str, block: Any) -> None:
        self.files[MAIN][name] = block

    def write(self, folder: Path) -> None:
        """params.yaml and the files of the studies."""
        (folder / STUDIES).mkdir(exist_ok=True)
        for name, document in self.files.items():
            (folder / name).write_text(_texts()[name] if document == _tiny()[name] else _dumped(document))


def read(path: Path) -> Any:
    """A YAML file."""
    return YAML(typ="safe").load(path)


def merged(block: dict[str, Any], sizes: dict[str, Any]) -> dict[str, Any]:
    """A block with other values for the keys that ``sizes`` names."""
    changed = {key: merged(block[key], value) if isinstance(value, dict) else value for key, value in sizes.items()}
    return {**block, **changed}


@cache
def _tiny() -> dict[str, Any]:
    sizes = {path.stem: read(path) for path in SIZES.glob("*.yaml")}
    own = ("dvc", "running")
    studies = [path for path in sorted((ROOT / STUDIES).glob("*.yaml")) if path.stem not in own]
    main = read(ROOT / MAIN)
    main["intervals"]["resamples"] = 100
    main |= {name: merged(block, sizes[name]) for name, block in main.items() if name in sizes}
    files = {f"{STUDIES}/{path.name}": merged(read(path), sizes.get(path.stem, {})) for path in studies}
    return {MAIN: main, **files}


@cache
def _texts() -> dict[str, str]:
    return {name: _dumped(document) for name, document in _tiny().items()}


def _dumped(document: Any) -> str:
    stream = StringIO()
    YAML().dump(document, stream)
    return stream.getvalue()


@pytest.fixture
def write_params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Work in an empty folder with the tiny settings; the function changes dotted keys (`synthetic__data__tasks`)."""
    monkeypatch.chdir(tmp_path)

    def write(**changes: Any) -> None:
        tiny = Tiny()
        for dotted, value in changes.items():
            first, *path = dotted.split("__")
            if not path:
                tiny[first] = value
                continue
            block = tiny[first]
            for part in path[:-1]:
                block = block[part]
            block[path[-1]] = value
        tiny.write(tmp_path)

    write()
    return write


@pytest.fixture
def generator() -> np.random.Generator:
    """Random numbers of a test, the same at every run."""
    return np.random.default_rng(0)


RUN = """
import json, sys
from pathlib import Path
from pipeline.core import experiments, stage
loaded = {}
for name in sys.argv[1:]:
    for verb in experiments.UPSTREAM:
        if experiments.load(name).has(verb):
            stage.run(verb, name)
            loaded[verb] = sorted(name for name in sys.modules if name.partition(".")[0] == "pipeline")
Path("modules.json").write_text(json.dumps(loaded))
"""


# Nothing of this, nor the number of workers, may reach the bytes of a result.
CONDITIONS = (
    {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"},
    {"TZ": "Asia/Kathmandu", "LC_ALL": "POSIX", "PYTHONHASHSEED": "4711", "SOURCE_DATE_EPOCH": "4102444800"},
)


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folder in which every verb of some experiments of tests/tiny has run, in one process; only to be read.

    It is made once, with two workers under other conditions than with one.  Beside the results lies modules.json:
    modules of the package that were loaded after each verb.  Bundles upstream are those of another run.
    """
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared

    def run(*names: str, workers: int = 1) -> Path:
        folder = shared / ("here" if workers == 1 else "größe und/zwei Wörter") / "-".join(names)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not (folder / "modules.json").exists():
                folder.mkdir(exist_ok=True)
                Tiny().write(folder)
                (folder / "data").symlink_to(ROOT / "data")
                for name in {Tiny()[name].get("upstream", name) for name in names}.difference(names):
                    for bundle in (run(name) / "artifacts").glob(f"*/{name}"):
                        (folder / "artifacts" / bundle.parent.name).mkdir(parents=True, exist_ok=True)
                        (folder / "artifacts" / bundle.parent.name / name).symlink_to(bundle)
                environment = {
                    **os.environ,
                    "W2S_WORKERS": str(workers),
                    "W2S_DEVICE": "cpu",
                    **CONDITIONS[workers - 1],
                }
                done = subprocess.run(
                    [sys.executable, "-c", RUN, *names], cwd=folder, env=environment, capture_output=True, text=True
                )
                assert done.returncode == 0, done.stderr
        return folder

    return run
