"""Whether a consumer group has all there is of its topics.

A group's leader hands out the partitions, and whoever sees a topic change asks it to do so again. But a static member that comes back as
itself is given what it had, and nobody looks at the topics again: what was added, or belongs to a topic that was made anew, while it was
away would be nobody's for ever (KAFKA-13435; KIP-814 mended it for Java, while librdkafka 2.16 and aiokafka ask for an assignment as before).
Only a member that leaves and comes back gets another.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BytesIO
from time import monotonic

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from stream_processors.kafka import Consumer, admin, answer_of, close_admin
from stream_processors.topic_ids import TopicMadeAnew

_LOOK_S = 4.0
# members look at topics every five seconds and hear within one of a new assignment
_PATIENCE_S = 12.0
# no longer, as neither heartbeat nor stopping waits for a Kafka that is silent
_ANSWER_S = 1.0
_LEAVING_S = 5.0


class StaleAssignment(BrokerUnavailable):
    """Partitions are nobody's: a member that keeps the assignment it has would keep them so."""


# what a static member must leave its group for: coming back as itself it would get partitions that are gone, or not those that are new
LEAVE_FOR = (StaleAssignment, TopicMadeAnew)


class Coverage:
    """Looks every few seconds at whether somebody has each partition.

    Args:
        settings: where Kafka is.
        group: the consumer group, by its full name.
        topics: what the group reads, by full names; one that is not there (yet) is not missed.
        clock: a steady clock's seconds.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        topics: Iterable[str],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._group, self._topics, self._clock = group, sorted(topics), clock
        self._client = admin(settings, reconnect_backoff_max_ms=1000)
        self._looked = clock()
        self._since: float | None = None

    def close(self) -> None:
        """Close the connection."""
        close_admin(self._client)

    def refuse_stale(self) -> None:
        """Return where all is well, or it is not known, or it is not time to look.

        Raises:
            StaleAssignment: for longer than a group needs to see a topic, a partition has been nobody's.
        """
        now = self._clock()
        if now - self._looked < _LOOK_S:
            return
        self._looked = now
        try:
            unowned = self._unowned()
        except KafkaException:
            # what does not answer is said by whoever reads from it
            return
        if not unowned:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since > _PATIENCE_S:
            self._since = None
            topic, partition = min(unowned)
            raise StaleAssignment(f"no member of {self._group} has {topic}-{partition}: it is assigned anew")

    def _unowned(self) -> set[tuple[str, int]]:
        # not describe_consumer_groups, for which this is deprecated: with that one librdkafka aborts the process where the coordinator goes away
        # meanwhile (2.16; its issues 4605 and 3663)
        for group in self._client.list_groups(self._group, timeout=_ANSWER_S):
            # while members come and go nothing can be told
            if group.error is None and group.state == "Stable":
                return self._existing().difference(*(assigned(one.assignment) for one in group.members))
        return set()

    def _existing(self) -> set[tuple[str, int]]:
        found: set[tuple[str, int]] = set()
        futures = self._client.describe_topics(TopicCollection(self._topics), request_timeout=_ANSWER_S)
        for name, future in futures.items():
            try:
                found |= {(name, partition.id) for partition in answer_of(future).partitions}
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        return found


def assigned(assignment: bytes) -> set[tuple[str, int]]:
    """Topics and partitions in a member's assignment, as Kafka's clients tell each other (``ConsumerProtocolAssignment.json``, all versions)."""
    stream = BytesIO(assignment)

    def number(form: str) -> int:
        found: int = struct.unpack(form, stream.read(struct.calcsize(form)))[0]
        return found

    found = set()
    if assignment:
        number(">h")  # the version: later ones differ in what follows
        for _ in range(number(">i")):
            topic = stream.read(number(">h")).decode()
            found |= {(topic, number(">i")) for _ in range(number(">i"))}
    return found


def leave(client: Consumer) -> None:
    """Let a static member leave its group, which closing does not; callbacks of revocation are called. Close the client then.

    Where no broker answers it is left to the session's end.
    """
    # refused where it is of no use any more
    with suppress(KafkaException):
        client.unsubscribe()
    limit = monotonic() + _LEAVING_S
    while client.memberid() and monotonic() < limit:
        client.poll(0.05)
