"""Fit the teachers on true labels.  artifacts/{data,represent} -> artifacts/weak/<experiment>

python -m pipeline.weak synthetic
"""

from pipeline.core import stage

if __name__ == "__main__":
    stage.main("weak")
