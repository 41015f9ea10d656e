"""Faust reading committed messages only.

Outside its exactly-once mode Faust's consumer reads *uncommitted* messages, whatever is configured (0.15.3, ``transport/drivers/aiokafka.py``,
``_create_worker_consumer``), so that deltas of an aborted flush would count. Its exactly-once mode is no way out (research: "faust-streaming health").
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from mode.threads import WorkerThread


class DaemonThread(WorkerThread):
    """A thread of mode's that holds up no process that ends."""

    def __init__(self, service: Any, **more: Any) -> None:
        super().__init__(service, **more)
        self.daemon = True


class ReadCommittedThread(AIOKafkaConsumerThread):
    """Faust's consumer thread with ``isolation.level=read_committed``, which is not waited for where Kafka does not take its last commit."""

    Worker = DaemonThread
    # mode's default is a minute, in which the monitor could neither end nor say anything
    shutdown_timeout = 0.5

    async def stop(self) -> None:
        """Ask it to end; what it has not done by then ends with the process."""
        with suppress(TimeoutError):
            await super().stop()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # aiokafka takes it to its fetcher when the consumer starts, which is after this
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust leaves no other way to say it
        return consumer


class ReadCommittedConsumer(Consumer):
    """Faust's consumer on that thread.

    Attributes:
        fetched: messages that were fetched in all, whether or not they have reached a stream yet.
    """

    fetched = 0

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        records = await super()._getmany(active_partitions, timeout)
        self.fetched += sum(len(batch) for batch in records.values())
        return records

    def _new_consumer_thread(self) -> ReadCommittedThread:
        return ReadCommittedThread(self, loop=self.loop, beacon=self.beacon)


class ReadCommittedTransport(Transport):
    """Faust's Kafka transport with that consumer."""

    Consumer = ReadCommittedConsumer


class ReadCommittedApp(faust.App):
    """A Faust app that reads committed messages only."""

    @property
    def fetched(self) -> int:
        """Messages that its consumer has fetched in all."""
        consumer: Any = self.consumer
        return consumer.fetched if isinstance(consumer, ReadCommittedConsumer) else 0

    def leave_when_stopped(self) -> None:
        """Let its consumer give up its place in the group when it stops, which a static member does not."""
        thread: Any = getattr(self.consumer, "_thread", None)
        consumer = getattr(thread, "_consumer", None)
        if consumer is not None:
            # aiokafka leaves for members without such a name, and knows no other way
            consumer._coordinator._group_instance_id = None  # noqa: SLF001 - the same

    def _new_transport(self) -> Any:
        return ReadCommittedTransport(self.conf.broker_consumer, self)
