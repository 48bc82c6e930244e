"""Train or load the representations of weak and strong models.  artifacts/data -> artifacts/represent/<experiment>

python -m pipeline.represent synthetic
"""

from pipeline.core import stage

if __name__ == "__main__":
    stage.main("represent")
