"""Statistics of the cells of `contrastive`."""

import numpy as np
import pandas as pd


def preferred_at_matched_fluency(cells: pd.DataFrame) -> float:
    """Share of preferred tokens in decoded strings less that of plain samples of the same fluency.

    Decoded at the alpha of ConG.  The samples' share is interpolated linearly along their temperatures; NaN where no
    temperature is as fluent.
    """
    plain = cells[cells["method"] == "sampled"].sort_values("fluency")
    decoded = cells[(cells["method"] == "decoded") & cells["alpha"].isin(cells.loc[cells["method"] == "cong", "alpha"])]
    matched = np.interp(decoded["fluency"], plain["fluency"], plain["preferred"], left=np.nan, right=np.nan)
    return float(np.mean(decoded["preferred"] - matched))


CONTRASTIVE = {preferred_at_matched_fluency.__name__: preferred_at_matched_fluency}
