"""Predictions of thirty days, labels and sketches, sent all the while, and what the record must then say of them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from recording_road import Road, example

from producers import PredictionLogger
from producers.codec import encode

DAYS = 30
_EACH_STEP = 1_000
_SKETCHES_EACH_STEP = 20
_TABLES = ("predictions", "intake", "labels", "sketches", "ledger")


def sketch(number: int) -> bytes:
    """A delta with 30 numeric columns: 31 rows and more."""
    column = example("sketch")["numeric"][0]
    columns = [{**column, "column": f"c{place}"} for place in range(30)]
    return encode("sketch", example("sketch", first_offset=number, next_offset=number + 1, numeric=columns))


class SteadyLoad:
    """Sends from another thread until the context ends; then the producer closes, and its counts are final.

    Events are late by up to thirty days, so that every insert touches as many partitions of the table; every hundredth prediction
    is accepted twice, every tenth gets a label.
    """

    def __init__(self, road: Road) -> None:
        self._road = road
        self._began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._problem: BaseException | None = None
        self.predictions = self.again = self.labels = self.sketches = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        try:
            with PredictionLogger(model="m", model_version="1", kafka=self._road.kafka, sigterm=False) as log:
                while not self._ended.wait(0.2):
                    self._step(log)
        except BaseException as problem:  # noqa: BLE001 - told to the test by the context's end
            self._problem = problem

    def _step(self, log: PredictionLogger) -> None:
        for number in range(self.predictions, self.predictions + _EACH_STEP):
            at = self._began + timedelta(days=number * 7 % DAYS, microseconds=number)
            said = {"prediction_id": f"p{number}", "event_time": at, "score": number % 97 / 97}
            for _ in range(1 + (number % 100 == 0)):
                log.prediction(features={"x": float(number)}, **said)  # type: ignore[arg-type]  # a name for each kind of value
            if number % 10 == 0:
                log.label(f"p{number}", truth=True, predicted_at=at)
        assert log.flush(60) == 0
        self.predictions += _EACH_STEP
        self.again += _EACH_STEP // 100
        self.labels += _EACH_STEP // 10
        numbers = range(self.sketches, self.sketches + _SKETCHES_EACH_STEP)
        self._road.send("sketches", [sketch(number) for number in numbers])
        self.sketches += len(numbers)

    def assert_recorded_once(self) -> None:
        """Every view and table says what was sent, each once, before merges and after."""
        self._assert_views()
        for table in _TABLES:
            self._road.store.command(f"OPTIMIZE TABLE {table} FINAL")
        self._assert_views()

    def _assert_views(self) -> None:
        road, accepted = self._road, self.predictions + self.again
        own = {"n": self.predictions, "ids": self.predictions}
        assert road.rows("SELECT count() AS n, uniqExact(prediction_id) AS ids FROM predictions_v") == [own]
        labelled = "countIf(label_state = 'labelled') AS labelled"
        found = road.rows(f"SELECT count() AS n, uniqExact(prediction_id) AS ids, {labelled} FROM outcomes_v")
        assert found == [{**own, "labelled": self.labels}]
        assert road.count("labels") == self.labels
        assert road.count("intake") == accepted
        assert road.rows(
            "SELECT sum(accepted) AS accepted, sum(recorded) AS recorded, sum(duplicates_removed) AS again,"
            " countIf(NOT balanced) AS unbalanced, count() AS hours FROM accounting"
        ) == [
            {
                "accepted": accepted,
                "recorded": self.predictions,
                "again": self.again,
                "unbalanced": 0,
                "hours": DAYS,
            }
        ]
        assert road.rows("SELECT * FROM sequence_gaps") == []
        assert road.count("dead_letters") == 0
        [whole] = road.rows(
            "SELECT count() AS n, uniqExact(first_offset) AS messages, min(whole) AS whole FROM ("
            "SELECT first_offset, count() = any(_rows) AS whole FROM sketches FINAL GROUP BY first_offset)"
        )
        assert whole == {"n": self.sketches, "messages": self.sketches, "whole": 1}
        parts = "system.parts WHERE active AND database = currentDatabase() AND table = 'predictions'"
        assert road.rows(f"SELECT uniqExact(partition) AS days FROM {parts}") == [{"days": DAYS}]
