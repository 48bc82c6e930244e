"""Units that would decide: as many as the power asks for, by simulation."""

import numpy as np
import pytest

from pipeline.theory import intervals, power


@pytest.mark.parametrize(("distance", "overlap"), [(1.0, 0.0), (0.5, 0.0), (1.0, 0.05)])
def test_a_mean_is_decided_in_four_of_five_draws(
    distance: float, overlap: float, generator: np.random.Generator
) -> None:
    sample = np.array([-1.0, 0.0, 1.0])  # deviation 1
    units = power.for_mean(sample.tolist(), distance, overlap, 0.95)
    assert units is not None
    shared = generator.normal(0, np.sqrt(overlap), (4000, 1))  # what resamples have in common
    draws = distance + shared + generator.normal(0, 1, (4000, units))
    decided = np.mean([intervals.over_units(draw, 0.95, overlap).low > 0 for draw in draws])
    assert decided == pytest.approx(0.8, abs=0.06)


def test_no_number_of_resamples_goes_below_what_they_share() -> None:
    assert power.for_mean([-1.0, 0.0, 1.0], 0.5, 0.5, 0.95) is None
    assert power.for_mean([-1.0, 0.0, 1.0], 0.0, 0.0, 0.95) is None


def test_a_share_is_decided_in_four_of_five_draws(generator: np.random.Generator) -> None:
    units = power.for_share(0.7, (0.5, np.inf), 0.0, 0.95)
    assert units is not None and 40 <= units <= 60
    hits = generator.binomial(units, 0.7, 4000)
    assert np.mean([intervals.share_of_units(int(count), units, 0.95).low > 0.5 for count in hits]) >= 0.78
    assert power.for_share(0.5, (0.5, np.inf), 0.0, 0.95) is None


def test_a_median_is_decided_by_the_share_beyond_the_end() -> None:
    values = [0.0] * 3 + [1.0] * 7
    assert power.for_median(values, 0.5, 0.95) == power.for_share(0.7, (0.5, np.inf), 0.0, 0.95)


def test_rows() -> None:
    # Half width 0.02 at 1,000 rows is a standard error of 0.0102; 0.01 needs (1.96 + 0.84) of them.
    assert power.for_rows(1000, 0.02, 0.01, 0.95) == pytest.approx(1000 * (0.0102 * 2.8 / 0.01) ** 2, rel=0.01)
    assert power.for_rows(1000, 0.02, 0.0, 0.95) is None
