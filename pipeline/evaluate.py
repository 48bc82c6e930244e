"""Measure errors, misfit and gain on fresh samples.  artifacts/{data,represent,weak,strong} -> results/<experiment>

python -m pipeline.evaluate synthetic
"""

from pipeline.core import stage

if __name__ == "__main__":
    stage.main("evaluate")
