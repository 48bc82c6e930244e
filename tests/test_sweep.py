"""Sweeps: the cells are those of the stages, on one machine and on several, however often the run is killed."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from machines import Machines, at_the_moment
from ruamel.yaml import YAML

from pipeline import sweep
from pipeline.core import artifacts, cells, stage
from pipeline.core.errors import InputError
from pipeline.core.experiments import VERBS
from pipeline.sweeping import grid

SHARDS = "artifacts/sweeps/toy/shards-*"


@pytest.fixture
def declare(write_params: Callable[..., None]) -> Callable[..., None]:
    """Write sweeps/toy.yaml in an empty folder: eight shards, two seeds at four points."""
    Path("sweeps").mkdir()

    def write(**changes: object) -> None:
        declared = {
            "experiment": "synthetic",
            "seeds": 2,
            "seeds_per_shard": 1,
            "by": ["panel", "head", "inputs"],
            "settings": {"represent.epochs": 20},
            "grid": {"represent.perturbation.weak_sigma": [0.05, 0.2], "data.truth_blocks": [5, 3]},
        }
        YAML().dump({**declared, **changes}, Path("sweeps/toy.yaml"))

    write()
    return write


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().glob(f"{SHARDS}/*")}


def test_the_cells_are_those_of_the_stages(declare: Callable[..., None], write_params: Callable[..., None]) -> None:
    write_params(
        synthetic__represent__epochs=20, synthetic__data__further_seeds=[]
    )  # sigma and blocks are those of the paper, the first point
    for verb in VERBS:
        stage.run(verb, "synthetic")
    declare(seeds_per_shard=2, grid={"represent.perturbation.weak_sigma": [0.05]})
    sweep.run("toy")
    (shard,) = Path().glob(f"{SHARDS}/*.parquet")
    swept = pd.read_parquet(shard)
    assert (swept.pop("represent.perturbation.weak_sigma") == 0.05).all()
    artifacts.write_cells(Path("swept.csv"), swept)
    made = cells.read(Path("results/synthetic/cells.csv"))
    assert made["control"].notna().any() and cells.read(Path("swept.csv")).equals(cells.without_controls(made))
    metrics = artifacts.read_item(Path("results/synthetic/metrics.json"))
    for _, line in pd.read_csv("artifacts/sweeps/toy/summary.csv").iterrows():
        expected = metrics[line["panel"]][line["head"]][line["inputs"]]
        assert line["seeds"] == 2 and line["cells"] == 8
        for name, estimate in expected.items():
            found = [line[name], line[f"{name}_low"], line[f"{name}_high"]]
            assert found == pytest.approx(list(estimate.values()), rel=1e-5)


def test_workers_of_which_one_is_killed_give_the_bytes_of_one_machine(
    declare: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep.run("toy")
    here, summary = files(), Path("artifacts/sweeps/toy/summary.csv").read_bytes()
    Path("artifacts").rename("here")
    machines = Machines(tmp_path / "machines")
    first = machines.worker()
    machines.worker()
    monkeypatch.setattr("sys.argv", ["sweep", "toy", "--scheduler", machines.address])
    monkeypatch.setenv("W2S_SCHEDULER", "")  # main sets it, and this puts it back
    try:
        with at_the_moment(lambda: len(files()) >= 2, first):
            sweep.main()
    finally:
        machines.stop()
    assert len(here) == 8 and files() == here
    assert Path("artifacts/sweeps/toy/summary.csv").read_bytes() == summary


def test_a_run_goes_on_and_a_grid_grows(declare: Callable[..., None], capfd: pytest.CaptureFixture[str]) -> None:
    declare(grid={"represent.perturbation.weak_sigma": [0.05, 0.2]})
    assert sweep.run("toy").startswith("192 cells in 4 shards, 4 of them run")
    whole = files()
    next(Path().glob(f"{SHARDS}/*")).unlink()
    assert sweep.run("toy").startswith("192 cells in 4 shards, 1 of them run")
    assert files() == whole
    declare(seeds=3, grid={"represent.perturbation.weak_sigma": [0.05, 0.2]})
    assert sweep.run("toy").startswith("288 cells in 6 shards, 2 of them run")
    assert files().items() > whole.items()
    assert "sweep toy" not in capfd.readouterr().err  # no bar where there is no terminal


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"grid": {"represent.perturbation.sigma": [1]}},
            "sweeps/toy.yaml: represent.perturbation.sigma is no setting of synthetic",
        ),
        ({"grid": {"data.tasks.x": [1]}}, "sweeps/toy.yaml: data.tasks.x is no setting of synthetic"),
        (
            {"grid": {"represent.perturbation.weak_sigma": [-1.0]}},
            "synthetic.represent.perturbation.weak_sigma is -1.0; input should be",
        ),
        ({"grid": {"represent.perturbation.weak_sigma": []}}, "grid.represent.perturbation.weak_sigma is \\[\\]"),
        ({"seeds": 0}, "sweeps/toy.yaml: seeds is 0; input should be greater"),
        ({"experiment": "digits"}, "digits has no data.seeds"),
        ({"experiment": "toy"}, "there is no experiment 'toy'"),
    ],
)
def test_a_mistake_in_a_sweep_is_one_line(declare: Callable[..., None], changes: dict, message: str) -> None:
    declare(**changes)
    with pytest.raises(InputError, match=message):
        sweep.run("toy")
    assert not Path("artifacts").exists()


def test_a_missing_sweep_names_those_that_are_there(declare: Callable[..., None]) -> None:
    with pytest.raises(InputError, match="sweeps/other.yaml is missing; sweeps that are there: toy"):
        sweep.run("other")


def test_the_sweeps_of_the_repository_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    from conftest import ROOT

    monkeypatch.chdir(ROOT)
    for path in grid.SWEEPS.glob("*.yaml"):
        shards = list(grid.shards(grid.load(path.stem), path))
        assert len({shard.name for shard in shards}) == len(shards) > 0
