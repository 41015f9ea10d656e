"""Events that flow while something happens to profilers."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from profiled_log import event, send

from producers.settings import KafkaSettings


class EventFlow:
    """Events that flow all the while, now and then a message that is none, until ended; then everything of it is on the topic."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings, self._ended, self.sent = settings, threading.Event(), 0
        self._start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=20)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            numbers = range(self.sent, self.sent + 40)
            minutes = (timedelta(minutes=number % 2) for number in numbers)
            events = [
                event(n, event_time=self._start + after) for n, after in zip(numbers, minutes, strict=True)
            ]
            send(self._settings, [*events, b"garbage"] if self.sent % 50 else events)
            self.sent += len(numbers)
            self._ended.wait(0.05)

    def end(self) -> None:
        """Send no more."""
        self._ended.set()
        self._thread.join()
