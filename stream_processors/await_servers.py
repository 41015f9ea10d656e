"""What a processor does first: it refuses what waiting will not mend, and waits for a broker that has the topics."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from producers.errors import BrokerUnavailable, TransientError
from producers.settings import KafkaSettings
from stream_processors.clickhouse import Store
from stream_processors.kafka import TopicList
from stream_processors.settings import ClickHouseSettings
from stream_processors.status import StatusFile

# short, so that a stop is heard and the heartbeat stays fresh; the next look goes on with the same connection
_LOOK_S = 1.0
_AGAIN_S = 0.5


def refuse_wrong_credentials(settings: ClickHouseSettings, status: StatusFile) -> None:
    """Return when ClickHouse takes user and password; one that is away is said in the heartbeat, and waited for later.

    Raises:
        ConfigError: it refuses them.
    """
    try:
        Store(settings).close()
    except TransientError as fault:
        status.failed(fault)
        status.beat(force=True)


def await_topics(
    settings: KafkaSettings, names: Iterable[str], stop: threading.Event, status: StatusFile
) -> None:
    """Return when every one of these topics is there, or ``stop`` is set; until then the heartbeat says what is missing.

    Raises:
        ConfigError: the broker refuses the credentials, or librdkafka the properties.
    """
    wanted = {settings.topic(name) for name in names}
    there, said = TopicList(settings), False
    while not stop.is_set():
        try:
            missing = wanted - set(there.partition_counts(timeout=_LOOK_S))
            if not missing:
                if said:
                    status.recovered()
                return
            raise BrokerUnavailable(
                f"topic {min(missing)} does not exist (yet): `hindcast topics` creates it"
            )
        except TransientError as fault:
            said = True
            status.failed(fault)
            status.beat()
            stop.wait(_AGAIN_S)
