"""The Faust app: one agent on ``sketches``, and nothing of Faust that is not sound.

``concurrency=1`` (with more, offsets of messages in work are committed), no tables and no exactly-once mode, ``stream_wait_empty=False`` (with messages held and
the default, a rebalance never ends), static membership. Faust creates no topic, serves no page and elects no leader here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from producers.settings import KafkaSettings
from stream_processors.monitor.credentials import broker_credentials
from stream_processors.monitor.read_committed import ReadCommittedApp

# (partition, offset, append time in microseconds, value)
Take = Callable[[int, int, int, bytes | None], None]

_SESSION_S = 10.0
_COMMIT_S = 1.0
# the name of a listener, which librdkafka takes before an address (PLAINTEXT://host:9092)
_LISTENER = re.compile(r"^\w+://")


def monitor_group(settings: KafkaSettings) -> str:
    """The monitor's consumer group: ``<prefix>.monitor``."""
    return settings.topic("monitor")


def faust_app(
    settings: KafkaSettings, slot: str, data: Path, take: Take, assigned: Callable[[frozenset[int]], None]
) -> ReadCommittedApp:
    """An app, not started, that hands over every message of ``sketches`` and every assignment, in order, in its event loop's thread.

    Args:
        settings: where Kafka is.
        slot: this monitor's; names its static membership.
        data: a directory for Faust's own files.
        take: gets each message; must not raise nor wait.
        assigned: gets all partitions that are ours from now on.

    Raises:
        ConfigError: a TLS or SASL property that Faust cannot use.
    """
    name = settings.topic("sketches")
    app = ReadCommittedApp(monitor_group(settings), **_faust_settings(settings, slot, data))
    topic = app.topic(
        name,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        internal=False,
    )

    async def hand_over(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            take(message.partition, message.offset, round(message.timestamp * 1000) * 1000, event.value)

    app.agent(topic, concurrency=1, name="sketches")(hand_over)
    app.on_partitions_assigned.connect(_listener(name, assigned))
    return app


def _faust_settings(settings: KafkaSettings, slot: str, data: Path) -> dict[str, Any]:
    return {
        "broker": _brokers(settings.bootstrap),
        "broker_credentials": broker_credentials(settings.properties),
        "broker_client_id": f"hindcast-monitor-{slot}",
        "broker_session_timeout": _SESSION_S,
        "broker_heartbeat_interval": _SESSION_S / 5,
        "broker_commit_interval": _COMMIT_S,
        "consumer_group_instance_id": f"monitor-{slot}",
        "consumer_auto_offset_reset": "earliest",
        "stream_wait_empty": False,
        "datadir": str(data),
        "store": "memory://",
        "table_standby_replicas": 0,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
        "autodiscover": False,
    }


def _brokers(bootstrap: str) -> str:
    servers = (_LISTENER.sub("", server.strip()) for server in bootstrap.split(","))
    return ";".join(f"kafka://{server}" for server in servers)


def _listener(topic: str, assigned: Callable[[frozenset[int]], None]) -> Callable[..., Awaitable[None]]:
    async def listen(app: Any, places: Any, **_: Any) -> None:
        assigned(frozenset(place.partition for place in places if place.topic == topic))

    return listen
