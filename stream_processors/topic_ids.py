"""Kafka's UUIDs of topics, which tell a topic from one of the same name that was made anew."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from stream_processors.kafka import admin, answer_of, close_admin, unavailable


class TopicMadeAnew(BrokerUnavailable):
    """A topic is not the one that work was begun with: whoever reads or writes it starts again."""


class TopicIds:
    """Kafka's topic UUIDs (base64url without padding, as Kafka prints them), asked for over one connection as often as one likes."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client = admin(settings, reconnect_backoff_max_ms=1000)

    def close(self) -> None:
        """Close the connection."""
        close_admin(self._client)

    def of(self, names: Iterable[str], *, within: float = 10.0) -> dict[str, str]:
        """UUIDs by full name; a topic that does not exist is left out.

        Raises:
            BrokerUnavailable: no answer within so many seconds.
        """
        found = {}
        futures = self._client.describe_topics(TopicCollection(sorted(names)), request_timeout=within)
        for name, future in futures.items():
            try:
                found[name] = _uuid_text(answer_of(future).topic_id)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise unavailable(self._settings, error) from None
        return found

    def refuse_others(self, expected: Mapping[str, str]) -> None:
        """Make sure that these topics (full names) still are those of these UUIDs.

        Raises:
            BrokerUnavailable: no answer within 10 s; `TopicMadeAnew` where one is not.
        """
        found = self.of(expected)
        for name, known in expected.items():
            if found.get(name) != known:
                raise TopicMadeAnew(f"topic {name} was deleted or made anew")


def topic_ids(settings: KafkaSettings, names: Sequence[str]) -> dict[str, str]:
    """Kafka's topic UUIDs, as `TopicIds` gives them.

    Raises:
        BrokerUnavailable: no answer, or a topic that does not exist (yet).
    """
    found = TopicIds(settings).of(names)
    missing = set(names) - set(found)
    if missing:
        raise BrokerUnavailable(f"topic {min(missing)} does not exist (yet)")
    return found


def _uuid_text(uuid: object) -> str:
    high = uuid.get_most_significant_bits()  # type: ignore[attr-defined]  # confluent-kafka ships no types
    low = uuid.get_least_significant_bits()  # type: ignore[attr-defined]  # the same
    return base64.urlsafe_b64encode(struct.pack(">qq", high, low)).decode().rstrip("=")
