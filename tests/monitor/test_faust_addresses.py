"""Kafka's addresses as Faust wants them, whatever librdkafka takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from producers.settings import KafkaSettings
from stream_processors.monitor.faust_app import faust_app


@pytest.mark.parametrize(
    ("given", "brokers"),
    [
        ("host:9092", ["kafka://host:9092"]),
        ("PLAINTEXT://host:9092", ["kafka://host:9092"]),
        ("one:1, SASL_SSL://two:2,three:3", ["kafka://one:1", "kafka://two:2", "kafka://three:3"]),
        ("PLAINTEXT://[::1]:9092", ["kafka://[::1]:9092"]),
    ],
)
def test_a_listeners_name_is_left_out(given: str, brokers: list[str], tmp_path: Path) -> None:
    """HINDCAST_KAFKA may name the listener before any of its addresses, as a broker's own settings do."""
    settings = KafkaSettings.from_environment({"HINDCAST_KAFKA": given})
    app = faust_app(settings, "0", tmp_path, lambda *_: None, lambda _: None)
    assert [str(url) for url in app.conf.broker] == brokers
