"""What stands on the two servers before the processors start: topics and tables."""

from __future__ import annotations

from collections.abc import Mapping

from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.clickhouse import Store
from stream_processors.kafka import create_topics
from stream_processors.migrations import migrate
from stream_processors.settings import ClickHouseSettings


def lay_road(environment: Mapping[str, str]) -> None:
    """Create the topics and bring the database to this version; harmless when both are there.

    Raises:
        HindcastError: a server does not answer, or refuses.
    """
    create_topics(KafkaSettings.from_environment(environment), topics().values())
    store = Store(ClickHouseSettings.from_environment(environment))
    try:
        migrate(store)
    finally:
        store.close()
