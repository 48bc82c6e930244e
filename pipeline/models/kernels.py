"""Forward, backward and the two pretraining schedules of a ReLU network, compiled by numba.

Rows are samples, units run along Lanes. All three matrix products of a block add up outer products in a Tile:
outputs = inputs @ weights, weight gradient = inputs.T @ slopes, input slopes = slopes @ weights.T.
Parameters stand in one array (see mlp._pack): for each block its weights (inputs, outputs), then its biases.
Batches are padded with zero rows to whole Tiles; a padded row has no slope, so it adds exact zeros to the gradient.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.models import adamw
from pipeline.models.adamw import AdamW
from pipeline.models.lanes import LANES, ROWS, add_outer, aligned, fill, gate, load, splat, store, store_gated

Array = np.ndarray
