"""Reliability diagrams on fresh samples.  artifacts/{data,represent,weak,strong} -> results/*/reliability.csv

python -m pipeline.reliability digits
"""

from pipeline.core import stage

if __name__ == "__main__":
    stage.main("reliability")
