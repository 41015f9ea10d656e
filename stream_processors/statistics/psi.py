"""Population stability index: how far two binned samples lie apart, in nats, symmetric.

``PSI = sum_b (q_b - p_b) ln(q_b / p_b)`` with ``q_b``, ``p_b`` the shares of window and reference in bin b, half a count added to every bin so that an
empty one has a finite share (Lewis 1994, *An Introduction to Credit Scoring*; Yurdakul 2018, WMU dissertation 3208).

Without any drift PSI is near ``(1/n + 1/m) chi2(B - 1)``, so its expectation by chance is ``(1/n + 1/m)(B - 1)`` (Yurdakul 2018, section 3): what exceeds that
is evidence of size, which a fixed threshold on PSI itself is not.

Categories that the reference never had are expected as well: a sample's rows that occur once estimate the share that is still unseen (Good 1953, *Biometrika*
40:237). Of a column with many rare values that alone may be more than any threshold, because the reference's side of the bin is empty by definition.
"""

from __future__ import annotations

import math

import numpy as np

from stream_processors.sketches.bins import Ints


def psi(window: Ints, reference: Ints) -> float:
    """Return the index of two counts per bin (same length, at least one bin).

    >>> round(psi(np.array([50, 50]), np.array([250, 750])), 4)
    0.274
    """
    q = (window + 0.5) / (np.add.reduce(window) + 0.5 * window.size)
    p = (reference + 0.5) / (np.add.reduce(reference) + 0.5 * reference.size)
    return float((q - p) @ np.log(q / p))


def psi_expected(n: int, reference_n: int, bins: int) -> float:
    """Index expected by chance alone, of samples of ``n`` and ``reference_n`` in ``bins`` bins.

    >>> psi_expected(500, 500, 50)
    0.196
    """
    return (1 / n + 1 / reference_n) * (bins - 1)


def psi_expected_of_unseen(n: int, reference_n: int, bins: int, once: int) -> float:
    """What the bin of unseen values is expected to add to the index, where ``once`` of the reference's rows have a value that no other has.

    >>> round(psi_expected_of_unseen(500, 20_000, 20, 300), 4)
    0.1009
    """
    q = (n * once / reference_n + 0.5) / (n + 0.5 * bins)
    p = 0.5 / (reference_n + 0.5 * bins)
    return (q - p) * math.log(q / p)
