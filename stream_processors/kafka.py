"""Clients of Kafka on the processors' side, topics, positions; `stream_processors.topic_ids` tells topics of one name apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from time import monotonic, sleep
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ClusterMetadata, NewTopic, OffsetSpec, TopicMetadata

from producers.errors import BrokerUnavailable, ConfigError, HindcastError
from producers.kafka import client_settings, producer_settings
from producers.settings import KafkaSettings
from producers.topics import Topic, default_partitions

__all__ = [
    "OFFSET_BEGINNING",
    "OFFSET_END",
    "Consumer",
    "KafkaError",
    "KafkaException",
    "Message",
    "Producer",
    "TopicList",
    "TopicPartition",
    "close_admin",
    "consumer",
    "create_topics",
    "end_offsets",
    "partition_counts",
    "producer",
    "reader",
    "transactional_producer",
]

Said = Callable[[str], None]
Client = TypeVar("Client")

# what an error of librdkafka says beside its reason: the broker's address before, the connection's state after
_AROUND = re.compile(r"^\S+/(?:bootstrap|\d+): |: broker's supported mechanisms:.*| \(after \d+ms.*$")
# answers after which the same request may succeed
_PASSING = {
    KafkaError._TIMED_OUT,  # noqa: SLF001 - public constant
    KafkaError._TRANSPORT,  # noqa: SLF001 - public constant
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_CONTROLLER,
}
# what a broker answers about a group until it has loaded what it knows of it
_NO_COORDINATOR = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
}
_NOBODY = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - public constant
# so long a person waits who has mistyped an address or started no Kafka; attempts are made all the while
_NOBODY_LISTENS_S = 3.0
_REFUSED = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}  # noqa: SLF001 - public constants


def _made(make: Callable[[dict[str, object]], Client], configuration: dict[str, object]) -> Client:
    """A client of librdkafka, whose refusals of its configuration are a person's to mend."""
    try:
        return make(configuration)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._INVALID_ARG:  # noqa: SLF001 - public constant
            raise
        said = error.args[0].str()
        raise ConfigError(f"HINDCAST_KAFKA_PROPERTIES: Kafka's client refuses them: {said}") from None


def answer_of(future: Future[Any]) -> Any:
    """A future's result, or a new exception like its own.

    One that is raised remembers the frames it passed, and in them the client: kept by the future, which stands in those frames, it would keep
    the client and its threads until Python looks for cycles, maybe in a forked child that has no such threads.
    """
    error = future.exception()
    if error is None:
        return future.result()
    raise type(error)(*error.args)


# seconds after which a group gives up a member that is silent, a static one too
SESSION_S = 10
# A consumer that loses the broker while it joins a group, or learns who leads its partitions, waits for its next look at the metadata: by
# librdkafka's default five minutes (measured with a broker that is killed and comes back). So does an admin client that loses the one of several
# brokers that it takes for the controller, also when that one is back: each answer of Kafka's names another (measured with three).
_BACK_SOON = {"topic_metadata_refresh_interval_ms": 5_000, "reconnect_backoff_max_ms": 2_000}


def admin(settings: KafkaSettings, **more: object) -> AdminClient:
    """A client for topics and groups."""
    return _made(AdminClient, client_settings(settings, **{**_BACK_SOON, **more}))


def close_admin(client: AdminClient) -> None:
    """Let go of such a client, which has no `close`: it ends as a context."""
    client.__exit__(None, None, None)


def consumer(settings: KafkaSettings, *, group: str, instance: str, **more: object) -> Consumer:
    """A group member with manual commits and static membership: ``instance`` is role and slot."""
    defaults: dict[str, object] = {
        "group_id": group,
        "group_instance_id": instance,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "partition_assignment_strategy": "range",
        "session_timeout_ms": SESSION_S * 1000,
        # whoever shares a group hears with the next heartbeat that another has come or gone: librdkafka's default is three seconds
        "heartbeat_interval_ms": 1_000,
        "max_poll_interval_ms": 300_000,
        "fetch_wait_max_ms": 100,
        "queued_max_messages_kbytes": 65_536,
        # librdkafka's default is 1 s: a fast reader empties its queue long before the next fetch, and waits
        "fetch_queue_backoff_ms": 10,
        "allow_auto_create_topics": False,
        **_BACK_SOON,
    }
    return _made(Consumer, client_settings(settings, **{**defaults, **more}))


def reader(settings: KafkaSettings, **more: object) -> Consumer:
    """A consumer without a group's coordination: assign partitions by hand, commit nothing."""
    defaults: dict[str, object] = {
        "group_id": "hindcast-reader",
        "enable_auto_commit": False,
        "enable_auto_offset_store": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "enable_partition_eof": True,
        "fetch_queue_backoff_ms": 10,
        "allow_auto_create_topics": False,
        **_BACK_SOON,
    }
    return _made(Consumer, client_settings(settings, **{**defaults, **more}))


def producer(settings: KafkaSettings, **more: object) -> Producer:
    """An idempotent producer."""
    return _made(Producer, producer_settings(settings, **more))


def transactional_producer(settings: KafkaSettings, transactional_id: str, **more: object) -> Producer:
    """A producer of transactions; ``transactional_id`` is role and slot, stable over restarts."""
    defaults: dict[str, object] = {"transactional_id": transactional_id, "transaction_timeout_ms": 10_000}
    return _made(Producer, producer_settings(settings, **{**defaults, **more}))


def create_topics(
    settings: KafkaSettings, wanted: Iterable[Topic], *, partitions: int | None = None, replication: int = -1
) -> list[str]:
    """Create the topics that do not exist; returns the full names created.

    Raises:
        BrokerUnavailable: no answer within 10 s, or no leader for a new partition within a minute.
        ConfigError: the broker refuses a topic.
    """
    client = admin(settings)
    there = set(partition_counts(settings))
    new = [
        NewTopic(
            settings.topic(topic.name),
            partitions or default_partitions(),
            replication,
            config=topic.configuration(),
        )
        for topic in wanted
        if settings.topic(topic.name) not in there
    ]
    if not new:
        return []
    created = []
    for name, future in client.create_topics(new, operation_timeout=10, request_timeout=15).items():
        try:
            answer_of(future)
            created.append(name)
        except KafkaException as error:
            code = error.args[0]
            if code.code() in _PASSING:
                raise BrokerUnavailable(f"topic {name} is not created yet: {code.str()}") from None
            if code.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ConfigError(f"cannot create topic {name}: {code.str()}") from None
    _await_leaders(client, {topic.topic: topic.num_partitions for topic in new})
    return sorted(created)


def _await_leaders(client: AdminClient, created: Mapping[str, int], *, within: float = 60.0) -> None:
    """Return when every partition answers: a topic is created before its leaders know that they lead it."""
    limit = monotonic() + within
    for topic, partitions in created.items():
        while True:
            try:
                latest_offsets(client, topic, range(partitions))
                break
            except BrokerUnavailable:
                if monotonic() > limit:
                    raise
                sleep(0.05)


class TopicList:
    """The topics of a broker, asked for over one connection as often as one likes.

    Raises:
        ConfigError: librdkafka refuses the properties.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._heard: list[KafkaError] = []
        # a second after it is back, and not ten, a broker is found
        self._client = admin(settings, error_cb=self._heard.append, reconnect_backoff_max_ms=1000)

    def partition_counts(self, *, timeout: float) -> dict[str, int]:
        """How many partitions each topic of ours has, by full name.

        Raises:
            BrokerUnavailable: no answer within ``timeout`` seconds, or within three where nobody listens at any address.
            ConfigError: the broker refuses the credentials.
        """
        metadata = self._answer(timeout)
        return {name: len(topic.partitions) for name, topic in self._ours(metadata)}

    def single_copies(self, *, timeout: float = 10.0) -> list[str]:
        """Topics of ours that have one copy only, by full name, where Kafka has brokers for more; raises as `partition_counts`."""
        metadata = self._answer(timeout)
        if len(metadata.brokers) < 2:
            return []
        return sorted(
            name
            for name, topic in self._ours(metadata)
            if any(len(partition.replicas) < 2 for partition in topic.partitions.values())
        )

    def _ours(self, metadata: ClusterMetadata) -> list[tuple[str, TopicMetadata]]:
        ours = self._settings.topic("")
        return [(name, topic) for name, topic in metadata.topics.items() if name.startswith(ours)]

    def _answer(self, timeout: float) -> ClusterMetadata:
        self._heard.clear()
        try:
            return self._metadata(timeout)
        except KafkaException as error:
            self._client.poll(0)
            raise unavailable(self._settings, error, self._heard) from None

    def _metadata(self, timeout: float) -> ClusterMetadata:
        first = min(timeout, _NOBODY_LISTENS_S)
        try:
            return self._client.list_topics(timeout=first)
        except KafkaException:
            self._client.poll(0)
            if first == timeout or any(error.code() == _NOBODY for error in self._heard):
                raise
        return self._client.list_topics(timeout=timeout - first)


def partition_counts(settings: KafkaSettings, *, timeout: float = 10.0) -> dict[str, int]:
    """How many partitions each topic of ours has, by full name; see `TopicList` for what it raises."""
    return TopicList(settings).partition_counts(timeout=timeout)


def end_offsets(
    client: Consumer, topic: str, partitions: Iterable[int], *, timeout: float = 10.0
) -> dict[int, int]:
    """The offset after the last message that this consumer's isolation level lets it see, per partition."""
    try:
        return {
            p: client.get_watermark_offsets(TopicPartition(topic, p), timeout=timeout, cached=False)[1]
            for p in partitions
        }
    except KafkaException as error:
        raise BrokerUnavailable(f"no end offsets of {topic}: {error.args[0].str()}") from None


def latest_offsets(
    client: AdminClient, topic: str, partitions: Iterable[int], *, timeout: float = 10.0
) -> dict[int, int]:
    """The high watermark of each partition, in one request for all (unlike `end_offsets`: one each, four times as slow).

    Raises:
        BrokerUnavailable: no answer within ``timeout`` seconds.
    """
    wanted = list(partitions)
    try:
        try:
            return _latest_offsets(client, topic, wanted, timeout)
        except KafkaException:
            # an admin client keeps the leader epoch of before a broker's restart, and is refused with it, until it is made to ask for metadata
            # again (librdkafka 2.16)
            client.list_topics(timeout=timeout)
            return _latest_offsets(client, topic, wanted, timeout)
    except KafkaException as error:
        raise BrokerUnavailable(f"no end offsets of {topic}: {error.args[0].str()}") from None


def _latest_offsets(
    client: AdminClient, topic: str, partitions: Sequence[int], timeout: float
) -> dict[int, int]:
    specs = {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions}
    futures = client.list_offsets(specs, request_timeout=timeout)
    return {place.partition: answer_of(future).offset for place, future in futures.items()}


def committed_offsets(
    client: Consumer, topic: str, partitions: Iterable[int], *, timeout: float = 10.0, topic_id: str = ""
) -> dict[int, int]:
    """This consumer's group's committed offsets; a partition without one is left out, and with ``topic_id`` one whose commit names another."""
    try:
        found = committed_places(client, [TopicPartition(topic, p) for p in partitions], timeout=timeout)
    except KafkaException as error:
        raise BrokerUnavailable(f"no committed offsets of {topic}: {error.args[0].str()}") from None
    return {
        place.partition: place.offset
        for place in found
        if place.offset >= 0 and (not topic_id or place.metadata in {None, "", topic_id})
    }


def committed_places(
    client: Consumer, places: list[TopicPartition], *, timeout: float = 10.0
) -> list[TopicPartition]:
    """This consumer's group's committed offsets with their metadata; negative where there is none.

    A broker that has just come back answers for a while that it is not the coordinator. confluent-kafka gives such a refusal partition by partition
    and without an offset, which must not pass for "none": it would be read again from the beginning of the log.

    Raises:
        KafkaException: no answer, or refusals only, within ``timeout`` seconds.
    """
    limit = monotonic() + timeout
    while True:
        try:
            return _committed_places(client, places, timeout)
        except KafkaException as error:
            if error.args[0].code() not in _NO_COORDINATOR or monotonic() > limit:
                raise
        sleep(0.1)


def _committed_places(client: Consumer, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
    found: list[TopicPartition] = client.committed(places, timeout=timeout)
    for place in found:
        if place.error is not None:
            raise KafkaException(place.error)
    return found


def unavailable(
    settings: KafkaSettings, error: KafkaException, complaints: Sequence[KafkaError] = ()
) -> HindcastError:
    """What to tell a person about a broker that does not answer; ``complaints`` are what its client's error callback heard."""
    if any(code.code() in _REFUSED for code in (error.args[0], *complaints)):
        return ConfigError(f"Kafka at {settings.bootstrap} refuses these credentials")
    said = [_reason(code) for code in complaints if code.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001 - public constant
    return BrokerUnavailable(
        f"no Kafka answers at {settings.bootstrap} ({said[0] if said else _reason(error.args[0])}): "
        "is it running, and is HINDCAST_KAFKA its address?"
    )


def _reason(code: KafkaError) -> str:
    if code.code() == KafkaError._TRANSPORT and code.str().startswith("Failed to get metadata"):  # noqa: SLF001 - public constant
        return "it is silent"
    if code.code() == KafkaError._BAD_MSG:  # noqa: SLF001 - public constant
        return "what answers there is no Kafka"
    return str(_AROUND.sub("", code.str()))


def offsets_of(positions: Mapping[tuple[str, int], int], topic_id: str = "") -> list[TopicPartition]:
    """Positions as confluent-kafka wants them in a commit, which may name their topic's UUID."""
    return [
        TopicPartition(topic, partition, offset, topic_id) for (topic, partition), offset in positions.items()
    ]
