"""Two-layer ReLU networks and linear ones over patches (Oh, Song and Yun 2025), many trained at once.

An example is a set of patches; a network sums over them.  Filters are trained by full-batch gradient descent on the
logistic loss, the second layer is fixed: half of the filters vote for the class +1, the others for -1.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit

Array = np.ndarray


class Patches(NamedTuple):
    """Patches of n examples, (nets, slots, n, width); they lie along the columns ``start`` .. ``start + width``."""

    values: Array
    start: int

    @property
    def columns(self) -> slice:
        """The coordinates of the filters that these patches meet."""
        return slice(self.start, self.start + self.values.shape[-1])

    @property
    def rows(self) -> Array:
        """The patches of each net below each other, (nets, slots * n, width)."""
        return self.values.reshape(len(self.values), -1, self.values.shape[-1])


def votes(filters: int) -> Array:
    """The second layer: 1 / m for the first m of the filters, -1 / m for the other m, (filters,)."""
    each = filters // 2
    return np.repeat(np.array([1, -1], np.float32) / each, each)


def outputs(groups: Sequence[Patches], filters: Array) -> Array:
    """f(x) = 1/m sum_r sum_p ReLU<w_{1,r}, x_p> - the same of w_{-1,r}, (nets, n); filters (nets, width, 2 m)."""
    return _votes_of([_excited(group, filters) for group in groups], groups)


def descend(
    groups: Sequence[Patches], labels: Array, filters: Array, rates: Array, looks: Sequence[int]
) -> Iterator[tuple[int, Array, Array]]:
    """Gradient descent on mean log(1 + exp(-y f(x))); yields step, filters and outputs (nets, n) at the looks.

    labels: +1 or -1, (nets, n).  filters: at the start, (nets, width, 2 m), not changed.  rates: (nets,).
    """
    filters, second = filters.copy(), votes(filters.shape[-1])
    for step in range(max(looks) + 1):
        excited = [_excited(group, filters) for group in groups]
        found = _votes_of(excited, groups)
        if step in looks:
            yield step, filters.copy(), found
        pull = (rates[:, None] * labels * expit(-labels * found) / labels.shape[1]).astype(np.float32)
        for group, positive in zip(groups, excited, strict=True):
            slopes = (positive > 0) * np.tile(pull, group.values.shape[1])[:, :, None] * second
            filters[:, group.columns] += group.rows.transpose(0, 2, 1) @ slopes


def _excited(group: Patches, filters: Array) -> Array:
    return np.maximum(group.rows @ filters[:, group.columns], 0)


def _votes_of(excited: Sequence[Array], groups: Sequence[Patches]) -> Array:
    voted = [each @ votes(each.shape[-1]) for each in excited]
    return sum(vote.reshape(*group.values.shape[:3]).sum(axis=1) for vote, group in zip(voted, groups, strict=True))


def descend_linear(inputs: Array, labels: Array, rates: Array, looks: Sequence[int]) -> Iterator[tuple[int, Array]]:
    """The same loss for f(x) = <w, sum_p x_p> from zero; yields step and weights (nets, width).

    inputs: sums of patches, (nets, n, width); a linear network cannot tell the patches of an example apart.
    """
    weights = np.zeros((len(inputs), inputs.shape[-1]), inputs.dtype)
    for step in range(max(looks) + 1):
        if step in looks:
            yield step, weights.copy()
        found = (inputs @ weights[..., None])[..., 0]
        pull = rates[:, None] * labels * expit(-labels * found) / labels.shape[1]
        weights += (pull.astype(inputs.dtype)[:, None] @ inputs)[:, 0]


def gaussian_rows(
    stream: np.random.Generator, rows: int, dimension: int, precision: type[np.floating] = np.float32
) -> Array:
    """Standard normal vectors in ``dimension`` coordinates, in a basis in which min(rows, dimension) coordinates do.

    Row j is (normal, ..., normal, chi of dimension - j, 0, ...) by Bartlett's decomposition: inner products of the rows
    have exactly the distribution of those in the full space.  Whatever stays in the span of these rows, as gradient
    descent does, is simulated exactly at the cost of ``rows`` instead of ``dimension`` coordinates.
    """
    width = min(rows, dimension)
    drawn = np.tril(stream.standard_normal((rows, width), dtype=precision))
    drawn[np.arange(width), np.arange(width)] = np.sqrt(stream.chisquare(dimension - np.arange(width)))
    return drawn


def rotated(filters: Array) -> Array:
    """Filters in a basis of their own span, (nets, min(width, count), count): inner products, hence all that they do to
    isotropic noise they have not met, stay the same.
    """
    return np.asarray(np.linalg.qr(filters, mode="r"))
