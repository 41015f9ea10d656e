"""The joiner's place in its consumer group: which partitions are ours, and the positions committed for them."""

from __future__ import annotations

from collections.abc import Mapping

from producers.errors import BrokerUnavailable
from producers.settings import KafkaSettings
from stream_processors.fencing import fatal, is_fatal
from stream_processors.group_coverage import Coverage, leave
from stream_processors.joiner.joining import Position
from stream_processors.kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
    committed_places,
    consumer,
)
from stream_processors.unanswered import CLOSE_S, Unanswered, close, commit

_TOPICS = ("labels", "predictions")
# the assignment's position is never used: nothing is fetched
_END = -1

# commits of a member that the group has meanwhile given up, or that is being moved: the next assignment reads positions anew
_MOVED = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001 - public constant
}


class Membership:
    """A static member of ``<prefix>.joiner``, subscribed to ``labels`` and ``predictions``.

    The range assignor gives one member the partitions of one number in both topics. Messages are never fetched, for the record holds their
    content: partitions are paused, and only the group's assignment and committed offsets are used.

    Attributes:
        positions: next offset to join, of each owned partition; replaced when the group moves partitions.
        generation: counts assignments.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        slot: str,
        topic_ids: Mapping[str, str],
    ) -> None:
        self._names = {settings.topic(name): name for name in _TOPICS}
        self._full = {name: full for full, name in self._names.items()}
        self._topic_ids = topic_ids
        self._committed: dict[Position, int] = {}
        self.positions: dict[Position, int] = {}
        self.generation = 0
        self._unread: list[TopicPartition] = []
        self._is_unanswered = False
        group = settings.topic("joiner")
        self._coverage = Coverage(settings, group, self._names)
        self._consumer: Consumer = consumer(
            settings,
            group=group,
            instance=f"joiner-{slot}",
            fetch_wait_max_ms=500,
        )
        self._consumer.subscribe(
            list(self._names), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    def poll(self, seconds: float) -> None:
        """Do the group's duties, for at most this long.

        Raises:
            BrokerUnavailable: positions could not be read after an assignment.
            Fenced: another process uses our slot.
        """
        message = self._consumer.poll(seconds)
        error = message.error() if message is not None else None
        if error is not None and is_fatal(error):
            raise fatal(error, "joiner")
        if self._unread:
            self._read_positions()

    def refuse_stale(self) -> None:
        """Now and then make sure that somebody has each partition.

        Raises:
            StaleAssignment: nobody has one of them, until we `leave`.
        """
        self._coverage.refuse_stale()

    def commit(self, positions: Mapping[Position, int]) -> None:
        """Commit the positions that moved, each with its topic's UUID beside it.

        Raises:
            BrokerUnavailable: not committed; what was sent will be sent again, and tables know it already.
            Unanswered: Kafka says nothing; another member has to begin anew.
            Fenced: another process uses our slot.
        """
        moved = {place: at for place, at in positions.items() if self._committed.get(place) != at}
        if not moved:
            return
        offsets = [
            TopicPartition(self._full[topic], partition, at, self._topic_ids[topic])
            for (topic, partition), at in moved.items()
        ]
        try:
            commit(self._consumer, offsets)
        except Unanswered:
            self._is_unanswered = True
            raise
        except KafkaException as error:
            if error.args[0].code() in _MOVED:
                return
            if is_fatal(error.args[0]):
                raise fatal(error.args[0], "joiner") from None
            raise BrokerUnavailable(f"positions were not committed: {error.args[0].str()}") from None
        self._committed |= moved

    def leave(self) -> None:
        """Give up our place, so that the group assigns its partitions anew."""
        leave(self._consumer)

    def close(self) -> None:
        """Close the connections; a static member's partitions wait for it until its session ends."""
        close(self._consumer, within=0 if self._is_unanswered else CLOSE_S)
        self._coverage.close()

    def _assigned(self, client: Consumer, places: list[TopicPartition]) -> None:
        for place in places:
            place.offset = _END
        client.assign(places)
        client.pause(places)
        self._unread = places

    def _read_positions(self) -> None:
        try:
            found = committed_places(self._consumer, self._unread)
        except KafkaException as error:
            raise BrokerUnavailable(f"no committed positions: {error.args[0].str()}") from None
        self._unread, self._committed = [], {}
        for place in found:
            name = self._names[place.topic]
            # a topic made anew starts a new sequence
            ours = place.offset >= 0 and place.metadata == self._topic_ids[name]
            self._committed[name, place.partition] = place.offset if ours else 0
        self.positions = dict(self._committed)
        self.generation += 1

    def _revoked(self, client: Consumer, places: list[TopicPartition]) -> None:
        self._unread, self._committed, self.positions = [], {}, {}
        self.generation += 1
