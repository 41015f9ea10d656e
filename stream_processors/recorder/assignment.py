"""The partitions that the group gives this recorder: taking hold, pausing, committing, letting go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from producers.errors import TransientError
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.group_coverage import Coverage, leave
from stream_processors.kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
    consumer,
)
from stream_processors.recorder.gathering import LogChanged, judge
from stream_processors.recorder.groups import recorder_group
from stream_processors.recorder.holdings import Holding, known_end, place, take_hold, to_commit, watermarks
from stream_processors.recorder.pauses import FullPartition, Pause, Resumptions
from stream_processors.topic_ids import TopicIds
from stream_processors.unanswered import CLOSE_S, Unanswered, close, commit

Failed = Callable[[BaseException | str], None]


class Assignment:
    """A group member and what it holds. Use it from one thread.

    Args:
        letting_go: called before partitions are given back, with their offsets still ours to commit.
        failed: is told of each fault that will be tried again.
        now: microseconds since the epoch.

    Attributes:
        client: the consumer.
        epoch: rises with every change of what is held; what was consumed under an earlier one is void.
        holdings: by full topic name and partition.
        away: what is said while no broker answers.
        is_new: the holdings were taken since this was last set to False.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        instance: str,
        *,
        letting_go: Callable[[], None],
        failed: Failed,
        now: Callable[[], int],
    ) -> None:
        self._settings, self._instance = settings, instance
        self._letting_go, self._failed, self._now = letting_go, failed, now
        self.away = f"no Kafka answers at {settings.bootstrap}"
        self.epoch = 0
        self.holdings: dict[FullPartition, Holding] = {}
        self.is_new = False
        self._fresh: list[FullPartition] = []
        self._before: dict[FullPartition, Holding] = {}
        self._deleted: dict[FullPartition, Holding] = {}
        self._leaving = self._is_outdated = self._is_unanswered = False
        self._topic_ids = TopicIds(settings)
        self._resumptions = Resumptions(settings)
        # UUIDs of the topics that the client has held, by name without prefix
        self._held: dict[str, str] = {}
        self._names = [settings.topic(name) for name in topics()]
        self._coverage = Coverage(settings, recorder_group(settings), self._names)
        self.client: Consumer = self._joining()

    def _joining(self) -> Consumer:
        client = consumer(
            self._settings,
            group=recorder_group(self._settings),
            instance=self._instance,
            error_cb=self._fault,
            # where the log does not hold what comes next, nothing is passed over in silence
            auto_offset_reset="error",
        )
        client.subscribe(
            self._names,
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )
        return client

    def close(self) -> None:
        """Leave; a static member's partitions stay its own until the session times out."""
        self._leaving = True
        self._close_client()
        self._resumptions.close()
        self._topic_ids.close()
        self._coverage.close()

    def _close_client(self) -> None:
        close(self.client, within=0 if self._is_unanswered else CLOSE_S)

    def _fault(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - public constant
            self._failed(self.away)

    def _assigned(self, client: Consumer, places: Sequence[TopicPartition]) -> None:
        self._let_go()
        self._fresh = [(one.topic, one.partition) for one in places]
        self._before = {key: self._deleted.pop(key) for key in self._fresh if key in self._deleted}
        if not self._take_hold():
            # nothing flows before it is known where it stands
            client.assign([TopicPartition(*key, OFFSET_END) for key in self._fresh])
            client.pause(list(places))

    def _revoked(self, client: Consumer, places: Sequence[TopicPartition]) -> None:
        self._letting_go()
        if not self._leaving:
            self._remember_deleted()
        self._let_go()

    def _remember_deleted(self) -> None:
        """Keep what is known of logs that were deleted: nobody else can record what was left of them, or say that it is lost."""
        held = self._before | self.holdings
        try:
            found = self._topic_ids.of({topic for topic, _ in held}) if held else {}
        except TransientError:
            return
        self._deleted |= {key: one for key, one in held.items() if found.get(key[0]) != one.topic_id}

    def _lost(self, client: Consumer, places: Sequence[TopicPartition]) -> None:
        self._let_go()

    def _let_go(self) -> None:
        self.epoch += 1
        self.holdings, self._before, self._fresh = {}, {}, []

    def take_anew(self) -> None:
        """Let go of everything and take it again, as Kafka has it now; nothing may be in flight that is to be committed."""
        held = self.holdings
        self._let_go()
        self._before, self._fresh = held, list(held)

    @property
    def is_unknown(self) -> bool:
        """Whether Kafka has not said yet where our partitions stand; `take_hold` asks, and none flows before."""
        return bool(self._fresh)

    def take_hold(self) -> bool:
        """Learn where fresh partitions stand, and let them flow from there; False where that is not known yet.

        Where a topic was made anew, another client joins in the place of this one: librdkafka knows the leaders' epochs of the old topic,
        takes the new one's lower ones for old news, and would ask for the deleted log for ever.
        """
        if self._take_hold():
            return True
        if self._is_outdated:
            before = self._before
            self._let_go()
            self.begin_again()
            self._deleted |= before
        return False

    def refuse_stale(self) -> None:
        """Now and then make sure that somebody has each partition.

        Raises:
            StaleAssignment: nobody has one of them, until we `begin_again`.
        """
        self._coverage.refuse_stale()

    def begin_again(self) -> None:
        """Leave the group and let another client join; what is known of logs that are gone is kept until it has the new ones."""
        leave(self.client)
        self._leaving = True
        self._close_client()
        self._leaving = False
        self._held, self._is_outdated = {}, False
        self.client = self._joining()

    def _take_hold(self) -> bool:
        try:
            holdings = take_hold(
                self.client,
                self._settings,
                self._topic_ids,
                self._fresh,
                before=self._before,
                now=self._now(),
            )
        except TransientError as fault:
            self._failed(fault)
            return False
        ids = {one.topic: one.topic_id for one in holdings.values()}
        anew = {topic for topic, one in ids.items() if self._held.get(topic, one) != one}
        if anew:
            self._is_outdated = True
            self._before = {key: one for key, one in self._before.items() if one.topic in anew}
            return False
        self._held |= ids
        self.holdings = holdings
        self._before, self._fresh, self.is_new = {}, [], True
        self.client.assign([TopicPartition(*key, one.submitted) for key, one in self.holdings.items()])
        self.client.pause([TopicPartition(*key) for key, one in self.holdings.items() if one.pause])
        self.flow()
        return True

    def confirm(self, names: Iterable[str], *, within: float = 10.0) -> None:
        """Make sure that what was consumed of these topics, by full name, is of the topics that we hold.

        A topic that is not there any more still is the one that we hold.

        Raises:
            LogChanged: one was deleted and made anew.
            BrokerUnavailable: Kafka does not say within so many seconds.
        """
        wanted = set(names)
        ends = {
            key: max(one.end, known_end(self.client, *key))
            for key, one in self.holdings.items()
            if key[0] in wanted
        }
        found = self._topic_ids.of(wanted, within=within)
        for key, end in ends.items():
            one = self.holdings[key]
            if found.get(key[0], one.topic_id) != one.topic_id:
                raise LogChanged(
                    f"topic {one.topic} was deleted and made anew: it is recorded from its beginning"
                )
            one.confirmed_end = max(one.confirmed_end, end)

    def put_back(self, messages: Iterable[Message]) -> None:
        """Consume these again, as far as they are ours."""
        keys = {(message.topic(), message.partition()) for message in messages}
        for key in keys & set(self.holdings):
            self.client.seek(TopicPartition(*key, self.holdings[key].submitted))

    def advanced(self) -> dict[FullPartition, int]:
        """Positions beyond what is committed, with or without messages (control records have offsets too).

        What was handed over before is among them until its commit is taken: so one that Kafka refused is made good by the next.
        """
        going = [TopicPartition(*key) for key, one in self.holdings.items() if one.pause is None]
        positions = {(one.topic, one.partition): one.offset for one in self.client.position(going)}
        positions |= {key: one.pause.offset for key, one in self.holdings.items() if one.pause}
        # a position is unknown until the first message
        positions = {key: max(at, self.holdings[key].submitted) for key, at in positions.items()}
        return {key: at for key, at in positions.items() if at > self.holdings[key].committed}

    def commit(self, positions: Mapping[FullPartition, int]) -> None:
        """Commit what is recorded. A commit that Kafka does not take is made good by the next.

        Raises:
            Unanswered: Kafka says nothing; another client has to begin anew.
        """
        for key in set(positions) & set(self.holdings):
            self.holdings[key].recorded = max(self.holdings[key].recorded, positions[key])
        self._commit(to_commit(self.holdings, positions))

    def _commit(self, places: Sequence[TopicPartition]) -> None:
        if not places or self._is_unanswered:
            return
        try:
            taken = commit(self.client, places)
        except Unanswered:
            self._is_unanswered = True
            raise
        except KafkaException as fault:
            self._failed(f"Kafka does not take a commit ({fault.args[0].name()})")
            return
        for one in taken:
            if one.error is None:
                self.holdings[one.topic, one.partition].committed = one.offset
            else:
                self._failed(f"Kafka does not take a commit of {one.topic} ({one.error.name()})")

    def flow(self) -> None:
        """Let every partition flow that does not wait for a person."""
        self.client.resume([TopicPartition(*key) for key, one in self.holdings.items() if one.pause is None])

    def hold_back(self) -> None:
        """Let no partition flow."""
        self.client.pause([TopicPartition(*key) for key in self.holdings])

    def serve(self, seconds: float) -> None:
        """Serve Kafka while no partition flows; a message that still comes is put back.

        Raises:
            ConfigError: Kafka refuses this member for good.
            LogChanged: the log does not hold what comes next.
        """
        message = self.client.poll(seconds)
        if message is None:
            return
        if message.error() is None:
            self.client.seek(TopicPartition(message.topic(), message.partition(), message.offset()))
        else:
            judge(message, self._failed)

    def stop_at(self, key: FullPartition, offset: int, why: str) -> None:
        """Let a partition wait at ``offset`` for a person; the commit of that offset says so for every later recorder."""
        holding = self.holdings[key]
        holding.pause = Pause(holding.topic, holding.partition, offset, why)
        # a commit of this offset that does not speak of the pause is as good as none
        holding.committed = min(holding.committed, offset - 1)
        self.client.pause([TopicPartition(*key)])
        self.client.seek(TopicPartition(*key, offset))
        self._failed(holding.standing_fault)

    def standing_faults(self) -> list[str]:
        """What is to be said of held partitions until something is done, or they are held anew."""
        return [one.standing_fault for one in self.holdings.values() if one.standing_fault]

    def resume_those_let_go_on(self) -> bool:
        """Go on with paused partitions that a person has let go on; whether there were any."""
        waiting = {key: one for key, one in self.holdings.items() if one.pause}
        if not waiting:
            return False
        try:
            gone_on = self._resumptions.offsets(waiting)
        except TransientError as fault:
            self._failed(fault)
            return False
        for key, one in waiting.items():
            assert one.pause is not None
            if one.committed >= one.pause.offset and gone_on.get(key, -1) >= one.pause.offset:
                one.pause = None
                one.brake.release()
                self._commit([place(key, one, one.committed)])
                self.client.resume([TopicPartition(*key)])
        return any(one.pause is None for one in waiting.values())

    def look_at_ends(self, *, asking: bool) -> bool:
        """Bring the log's ends up to date: as fetches saw them, and by ``asking`` where a partition does not flow.

        Returns whether Kafka answered all that was asked.
        """
        for key, one in self.holdings.items():
            one.end = max(one.end, known_end(self.client, *key))
            if asking or one.pause:
                try:
                    one.end = watermarks(self.client, *key)[1]
                except TransientError:
                    return False
        return bool(self.holdings)


def names(holdings: Iterable[Holding]) -> list[str]:
    """``topic-partition`` of each, sorted."""
    return sorted(one.name for one in holdings)
