"""Measure errors, misfit and gain on fresh samples.  artifacts/{data,represent,weak,strong} -> results/<experiment>

python -m pipeline.evaluate synthetic
"""

from pipeline.core import artifacts, cells, experiments, stage
from pipeline.summary import headline


def at_a_glance(name: str) -> None:
    """Beside the cells of the main job: the few numbers and the small table that DVC shows of every revision."""
    experiment = experiments.load(name)
    if experiment.is_study:
        return
    folder, own = stage.results(experiment), experiments.beside_evaluate(name, "KEYS")
    table = cells.read(folder / "cells.csv")
    artifacts.write_json(folder / "headline.json", headline.headlines(table, own, name))
    artifacts.write_cells(folder / "points.csv", headline.points(table, own))


if __name__ == "__main__":
    stage.main("evaluate", at_a_glance)
