"""Works alerts out from recorded verdicts, and says what has changed.

Alerts are made of the record alone, after the recorder has passed the verdicts: so they do not depend on the order in which windows were judged, nor
on what a monitor that died had said already.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stream_processors.clickhouse import Store
from stream_processors.contracts.effect import ContractHistory
from stream_processors.monitor.alert_life import alert_changes, alert_life, window_place
from stream_processors.monitor.alert_messages import alert_record
from stream_processors.monitor.outbox import Outbox, Places
from stream_processors.monitor.progress import JudgedWindow
from stream_processors.monitor.record_alerts import alert_spans
from stream_processors.monitor.topology import Topology

# Before every window there is
_BEGINNING = (0, 0)


class Alerting:
    """Which models' verdicts may have changed their alerts, and what must be in the record before that is worked out."""

    def __init__(self, store: Store, history: ContractHistory, topology: Topology, outbox: Outbox) -> None:
        self._store, self._history, self._topology, self._outbox = store, history, topology, outbox
        self._since: dict[tuple[str, str], tuple[int, int]] = {}
        self._awaited: Places = {}

    @property
    def waiting(self) -> int:
        """How many models' alerts have yet to be worked out, and one more while what was said is not yet in the record."""
        return len(self._since) + bool(self._awaited)

    def restored(self, models: list[tuple[str, str]]) -> None:
        """Work the alerts of these models out from the beginning, after all that was said of them before is in the record."""
        for model in models:
            self._since[model] = _BEGINNING
        if models:
            self._await(self._topology.ends(("drift", "alerts")))

    def judged(self, windows: list[JudgedWindow], places: Places) -> None:
        """Verdicts on these windows were sent; they stand before ``places``."""
        for one in windows:
            model = one.of.model, one.of.environment
            place = window_place(one.window.start, one.window.end)
            self._since[model] = min(place, self._since.get(model, place))
        self._await(places)

    def round(self) -> None:
        """Say what has changed, if all that it depends on is in the record."""
        if not self._awaited and not self._since:
            return
        if not self._topology.all_recorded(self._awaited):
            return
        self._awaited = {}
        for (model, environment), since in list(self._since.items()):
            places = self._outbox.send("alerts", "alert", list(self._changes(model, environment, since)))
            # what was said now must be in the record before it is compared with again
            self._await(places)
            del self._since[model, environment]

    def _changes(self, model: str, environment: str, since: tuple[int, int]) -> Iterator[dict[str, Any]]:
        contracts = {one.digest: one.contract for one in self._history.published(model, environment)}
        spans = alert_spans(self._store, model, environment, since, contracts)
        for identity, span in sorted(spans.items()):
            for event in alert_changes(identity, alert_life(span.verdicts), span.recorded):
                yield alert_record(identity, event, contracts.get(event.verdict.contract))

    def _await(self, places: Places) -> None:
        for place, offset in places.items():
            self._awaited[place] = max(offset, self._awaited.get(place, 0))
