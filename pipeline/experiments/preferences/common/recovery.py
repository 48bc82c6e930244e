"""Performance gap recovered (Burns et al. 2023), with the sampling error of the test set and a rule for when it exists.

PGR = (student - weak) / (ceiling - weak), all accuracies on the same test rows.  The rule: a PGR is undefined where the
lower end of the gap's paired bootstrap interval is not above zero, that is where the ceiling does not beat the teacher
by more than the test set can tell; then there is nothing that could be recovered.
"""

from typing import NamedTuple

import numpy as np

Array = np.ndarray


COLUMNS = ("pgr", "pgr_low", "pgr_high", "pgr_error", "pgr_defined", "gain_error")


class Recovered(NamedTuple):
    """PGR and its paired interval, NaN where undefined; standard errors of PGR and of the accuracy gained."""

    pgr: Array
    low: Array
    high: Array
    error: Array
    gain_error: Array
    defined: Array

    def columns(self) -> dict[str, Array]:
        """As cells hold them."""
        values = (self.pgr, self.low, self.high, self.error, self.defined.astype(np.float64), self.gain_error)
        return dict(zip(COLUMNS, values, strict=True))


def weights(rows: int, resamples: int, generator: np.random.Generator) -> Array:
    """Bootstrap weights of the test rows, (resamples, rows), each summing to 1; shared by all that is compared."""
    return generator.multinomial(rows, np.full(rows, 1 / rows), resamples).astype(np.float32) / rows


def recovered(weak: Array, student: Array, ceiling: Array, drawn: Array, confidence: float) -> Recovered:
    """PGR of students from hits on the test rows, each (students, rows) of 0 and 1, and weights of `weights`.

    The same resample weighs weak, student and ceiling: their common luck with the test rows cancels.
    """
    hits = [np.asarray(hit, dtype=np.float32) for hit in (weak, student, ceiling)]
    base, reached, top = (drawn @ hit.T for hit in hits)  # (resamples, students)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    defined = np.quantile(top - base, ends[0], axis=0) > 0
    mean_weak, mean_student, mean_ceiling = (hit.mean(axis=1, dtype=np.float64) for hit in hits)
    # Where defined, a resample with no gap at all is rare; it must not turn the interval infinite.
    gap = np.maximum(top - base, 1 / hits[0].shape[1])
    low, high = np.quantile((reached - base) / gap, ends, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        pgr = (mean_student - mean_weak) / (mean_ceiling - mean_weak)
    found = (pgr, low, high, ((reached - base) / gap).std(axis=0))
    return Recovered(*(np.where(defined, one, np.nan) for one in found), (reached - base).std(axis=0), defined)
