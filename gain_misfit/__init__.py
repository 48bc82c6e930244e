"""Judge a student that learned from a weak teacher, from three arrays of predictions.  See docs/API.md.

from gain_misfit import assess
print(assess(truth, teacher, student))
"""

from .assessment import Assessment, assess

__all__ = ["Assessment", "assess"]
