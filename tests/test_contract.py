"""What every experiment with a file in tests/tiny must keep: columns, identity, keys, bytes, and known code."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.core import cells, config, experiments, keys
from pipeline.core.experiments import UPSTREAM
from tests.clones import outcomes
from tests.conftest import ROOT, SIZES

TINY = sorted(path.stem for path in SIZES.glob("*.yaml"))
MAIN = config.experiments(ROOT / "params.yaml")
Ran = Callable[..., Path]


@pytest.fixture(params=TINY)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def table(name: str, ran: Ran) -> pd.DataFrame:
    place = "results" if name in MAIN else "artifacts/results"
    return cells.read(ran(name) / place / name / "cells.csv")


def test_every_experiment_of_the_main_job_has_tiny_sizes() -> None:
    assert set(MAIN) <= set(TINY)


def test_cells_have_the_common_columns_first_and_name_their_experiment(name: str, table: pd.DataFrame) -> None:
    assert tuple(table.columns[: len(cells.COLUMNS)]) == cells.COLUMNS and set(table["experiment"]) == {name}


def test_misfit_less_gain_is_the_cross_term(table: pd.DataFrame) -> None:
    """Twice of it under squared loss, once in KL."""
    difference = table["misfit"] - table["gain"]
    factor = 1 if "direction" in table else 2
    np.testing.assert_allclose(difference, factor * table["cross_term"], atol=1e-7)


def test_the_keys_tell_rows_apart(name: str, table: pd.DataFrame) -> None:
    columns = [*cells.KEYS, *experiments.beside_evaluate(name, "KEYS", ROOT / "params.yaml")]
    assert set(columns) <= set(table.columns)
    repeated = table[table.duplicated(columns, keep=False)]
    assert repeated.empty, repeated[columns]


@pytest.fixture(scope="session")
def together(request: pytest.FixtureRequest, ran: Ran) -> dict[str, str]:
    """Files of all experiments that are tested, made with two workers in one process: starting them takes longest."""
    asked = {item.callspec.params["name"] for item in request.session.items if "together" in item.fixturenames}
    return outcomes(ran(*sorted(asked), workers=2))


def test_workers_place_time_and_language_leave_no_trace(name: str, ran: Ran, together: dict[str, str]) -> None:
    alone, beside = (
        {path: digest for path, digest in made.items() if name in Path(path).parts}
        for made in (outcomes(ran(name)), together)
    )
    assert len(alone) > 6 and alone == beside


def test_a_verb_loads_no_module_that_its_key_does_not_cover(name: str, ran: Ran) -> None:
    experiment = experiments.load(name, ROOT / "params.yaml")
    known: set[str] = set()
    for verb, loaded in json.loads((ran(name) / "modules.json").read_text()).items():
        known |= {module_name(path) for path in keys.sources(experiment, verb)}
        packages = {parent for module in known for parent in parents(module)}
        assert set(loaded) <= known | packages, verb


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parents(module: str) -> set[str]:
    """Packages that are loaded with a module; all they hold is a docstring."""
    parts = module.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def test_packages_hold_docstrings_only() -> None:
    """A package's own file is not hashed with what lies in it."""
    loaded = {path for path in (ROOT / "pipeline").rglob("__init__.py") if keys.bare(path.read_text())}
    assert loaded <= {ROOT / "pipeline/figures/__init__.py"}


@pytest.mark.parametrize("verb", UPSTREAM)
def test_a_verb_reads_no_settings_of_later_ones(verb: str) -> None:
    experiment = experiments.load("digits", ROOT / "params.yaml")
    held = [block for block in experiments.BLOCKS if hasattr(experiment.until(verb), block)]
    expected = [block for block in experiments.VERBS if block in experiments.BLOCKS]
    last = expected.index(verb) if verb in expected else len(expected)
    assert held == expected[: last + 1]
