"""The comparison of two runs notices what it should."""

from __future__ import annotations

import numpy as np
import pandas as pd
from road.snapshot import differences


def test_equal_frames_do_not_differ() -> None:
    """Rounding and nan are no difference."""
    one = {"t": pd.DataFrame({"a": [1.0, np.nan], "b": [(1, 2.0), ("x",)]})}
    other = {"t": pd.DataFrame({"a": [1.0 + 1e-12, np.nan], "b": [(1, 2.0 + 1e-12), ("x",)]})}
    assert differences(one, other) == []


def test_a_missing_row_and_a_changed_count_are_said() -> None:
    """One row fewer, or one count off by one, is a difference."""
    whole = {"t": pd.DataFrame({"counts": [(1, 2), (3,)]})}
    assert "2 rows against 1" in differences(whole, {"t": whole["t"].head(1)})[0]
    assert "t.counts" in differences(whole, {"t": pd.DataFrame({"counts": [(1, 2), (4,)]})})[0]
