"""Make or check an experiment's data.  data/ -> artifacts/data/<experiment>

python -m pipeline.data synthetic
"""

from pipeline.core import stage

if __name__ == "__main__":
    stage.main("data")
