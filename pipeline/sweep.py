"""Run an experiment at every point of a grid.  sweeps/<name>.yaml -> artifacts/sweeps/<name>: shards, summary.csv

python -m pipeline.sweep <name> [--scheduler tcp://host:port]

A shard is a few seeds at one point.  Finished shards are kept, under the hash of what makes them, so that a killed
run goes on and a grid that grew runs only what is new.
"""

import argparse
import os
import time
from pathlib import Path

from tqdm import tqdm

from pipeline.core import artifacts, config, experiments, keys, parallel
from pipeline.core.errors import command_line
from pipeline.core.experiments import VERBS
from pipeline.sweeping import cells, grid, summary


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a file sweeps/<name>.yaml")
    parser.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="of a dask cluster; as W2S_SCHEDULER")
    chosen = parser.parse_args()
    if chosen.scheduler:
        os.environ["W2S_SCHEDULER"] = chosen.scheduler
    command_line(lambda: print(run(chosen.name)))


def run(name: str) -> str:
    """Run what is missing, then write the summary; returns a line about both."""
    started = time.perf_counter()
    sweep = grid.load(name)
    shards = list(grid.shards(sweep, grid.SWEEPS / f"{name}.yaml"))
    home = artifacts.ARTIFACTS / "sweeps" / name
    experiment = experiments.load(sweep.experiment)
    folder = home / f"shards-{code(experiment)}"
    missing = [shard for shard in shards if not (folder / f"{shard.name}.parquet").exists()]
    units = {shard.name: (experiment, shard.settings, shard.point, shard.seeds) for shard in missing}
    finished = parallel.unordered(cells.shard, units)
    done, total = len(shards) - len(missing), len(shards)
    for key, content in tqdm(finished, f"sweep {name}", total, initial=done, disable=None, leave=False):
        artifacts.write_bytes(folder / f"{key}.parquet", content)
    lines = summary.table(shards, folder, sweep.by, config.intervals().confidence)
    artifacts.write_cells(home / "summary.csv", lines)
    seconds = time.perf_counter() - started
    count = int(lines["cells"].sum())
    return f"{count} cells in {len(shards)} shards, {len(missing)} of them run in {seconds:.1f} s: {home}"


def code(experiment: experiments.Experiment) -> str:
    """Hash of what makes its cells; the rest of the package is free to change under a sweep that runs for days."""
    verbs = {path for verb in VERBS for path in keys.sources(experiment.owner(verb), verb)}
    return keys.code(verbs | set(keys.reached([Path(cells.__file__)])))[:16]


if __name__ == "__main__":
    main()
