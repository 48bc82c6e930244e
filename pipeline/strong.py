"""Fit students on weak labels, ceilings on true ones.

artifacts/{data,represent,labels} -> artifacts/strong/<experiment>

python -m pipeline.strong synthetic
"""

from pipeline.core import stage

if __name__ == "__main__":
    stage.main("strong")
