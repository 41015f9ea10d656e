"""Jensen-Shannon distance of two binned samples: the square root of the divergence, base 2, from 0 (equal) to 1 (nothing in common).

``JS = H((p + q) / 2) - (H(p) + H(q)) / 2`` with the entropy ``H`` in bits (Lin 1991; Endres and Schindelin 2003 for the metric).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import rel_entr

from stream_processors.sketches.bins import Ints


def jensen_shannon(window: Ints, reference: Ints) -> float:
    """Return the distance of two counts per bin (same length, each with a positive sum).

    >>> jensen_shannon(np.array([1, 0]), np.array([0, 5]))
    1.0
    """
    q = window / np.add.reduce(window)
    p = reference / np.add.reduce(reference)
    middle = (p + q) / 2
    divergence = float(np.add.reduce(rel_entr(q, middle) + rel_entr(p, middle))) / 2
    return math.sqrt(max(divergence, 0.0) / math.log(2))
