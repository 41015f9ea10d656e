"""What stands on the two servers before the processors start: topics and tables.

`python -m hindcast.local.road` lays it on the servers that the environment names, and ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from producers.errors import HindcastError
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


def main() -> int:
    """Lay the road; an error that a person can mend is one line and exit code 1."""
    try:
        lay_road(os.environ)
    except HindcastError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
