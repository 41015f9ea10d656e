"""The recorder: every message of every topic into ClickHouse, exactly once.

``python -m stream_processors.recorder`` runs it. How far the record goes is the committed offsets of group
`recorder_group`: everything before them is in ClickHouse (or, if it could not be, in the dead letters).
"""

from __future__ import annotations

from stream_processors.recorder.groups import recorder_group, resumption_group

__all__ = ["recorder_group", "resumption_group"]
