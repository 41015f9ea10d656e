"""Bytes on disk: what is new is stored fast, what is an hour old is packed tighter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from recorded_rows import Recorder, prediction


def test_predictions_are_packed_tighter_when_they_are_an_hour_old(record: Recorder) -> None:
    """By the time they were recorded, not by their event time; statistics, of the size of a day's rows, are not kept."""
    now = datetime.now(UTC)
    for day, hours in ((1, 0), (2, 2)):
        row = prediction("p", now - timedelta(days=day), _recorded_at=now - timedelta(hours=hours))
        record.insert("predictions", [row])
    record.store.command("OPTIMIZE TABLE predictions FINAL")
    parts = record.store.rows(
        "SELECT default_compression_codec AS codec FROM system.parts"
        " WHERE active AND table = 'predictions' AND database = currentDatabase() ORDER BY max_time DESC"
    )
    assert [part["codec"] for part in parts] == ["LZ4", "ZSTD(3)"]
    settings = record.store.command(
        "SELECT engine_full FROM system.tables WHERE name = 'predictions' AND database = currentDatabase()"
    )
    assert "auto_statistics_types = ''" in settings.replace("\\", "")
