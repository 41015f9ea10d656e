"""Holds stream and rows against each other: sketches counted again from the prediction rows, in SQL, window for window and bin for bin.

The stream counts a resent event as often as it came, the table of predictions holds it once; and whatever else went wrong in either shows as well.
``Reconciliation`` finds where they differ, says why, and makes the *totals* (sketch.v1) that put the stream's figures right.
"""

from stream_processors.reconciliation.findings import Cause, Finding, Report
from stream_processors.reconciliation.frontier import Frontier, recorded_frontier
from stream_processors.reconciliation.reconcile import Reconciliation, Scope, known, scopes

__all__ = [
    "Cause",
    "Finding",
    "Frontier",
    "Reconciliation",
    "Report",
    "Scope",
    "known",
    "recorded_frontier",
    "scopes",
]
