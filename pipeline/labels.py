"""Label the student's inputs with the teachers.  artifacts/{data,represent,weak} -> artifacts/labels/<experiment>

python -m pipeline.labels synthetic
"""

from pipeline.core import stage

if __name__ == "__main__":
    stage.main("labels")
