"""What a sketch's columns are called: features by their names, and pseudo-columns, which begin with ``@``."""

from __future__ import annotations

SCORE, DECISION, LATENCY = "@score", "@decision", "@latency_ms"
PROBABILITY = "@probability:"


def column_name(feature: str) -> str:
    """The column of a feature: its name, with a leading ``@`` or ``%`` percent-encoded, so that no feature poses as a pseudo-column.

    >>> column_name("age"), column_name("@score")
    ('age', '%40score')
    """
    return f"%{ord(feature[0]):02X}{feature[1:]}" if feature[:1] in ("@", "%") else feature
