"""Label spreading (Zhou et al. 2004) over a graph of nearest neighbours: F = alpha S F + (1 - alpha) Y."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.neighbors import kneighbors_graph
from sklearn.semi_supervised import LabelSpreading

from pipeline.core.errors import InputError

Array = np.ndarray
STEPS, CLOSE = 1000, 1e-6  # of the iteration; 0.8^62 is a millionth


def neighbours(features: Array, count: int, similarity: float) -> csr_array:
    """Symmetric graph (n, n) of ones: i and j are joined where one is among the other's ``count`` nearest by cosine.

    Pairs below the least ``similarity``, a cosine in [-1, 1], stay apart.
    """
    distances = csr_array(kneighbors_graph(features, count, mode="distance", metric="cosine"))
    near = 1.0 * (1 - distances.data >= similarity)
    joined = csr_array((near, distances.indices, distances.indptr), shape=distances.shape)
    joined.eliminate_zeros()
    return joined.maximum(joined.T).tocsr()


def spread(graph: csr_array, labels: Array, alpha: float, where: str) -> Array:
    """Labels (n,) of 0 and 1 after they have spread.

    graph: symmetric, (n, n).  Raises InputError where points have no neighbour: their labels could not be refined.
    """
    alone = np.flatnonzero(graph.sum(axis=1) == 0)
    if len(alone):
        raise InputError(
            f"{where}: {len(alone)} of {len(labels)} points of the graph have no neighbour, the first is row "
            f"{alone[0]}; lower labels.graph.similarity in {{where}} or raise labels.graph.neighbours"
        )
    model = LabelSpreading(kernel=lambda x, y=None: graph, alpha=alpha, max_iter=STEPS, tol=CLOSE)
    return np.asarray(model.fit(np.zeros((len(labels), 1)), labels.astype(int)).transduction_, dtype=np.float64)
