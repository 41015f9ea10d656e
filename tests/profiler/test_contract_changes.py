"""Contracts published while events flow and profilers run: each event is counted once, under the shape that applied when it was appended."""

from __future__ import annotations

from bisect import bisect_right

from event_flow import EventFlow
from recomputed import WITHOUT_CONTRACT, RawRow, Rule, assert_recomputed, raw_rows
from running_profiler import all_read, running_profiler
from waiting import eventually

from producers.settings import KafkaSettings
from stream_processors.contracts.model import Contract
from stream_processors.contracts.publish import publish


def contract(precision: int, **more: object) -> Contract:
    """Both numeric features of the events at one precision."""
    features = {name: {"kind": "numeric", "precision": precision} for name in ("age", "income")}
    return Contract.model_validate({"model": "m", "features": features, **more})


def test_contracts_change_while_events_flow(settings: KafkaSettings) -> None:
    """A change of shape splits the window at its append time to the message, a change of thresholds splits nothing; nothing is lost, nothing counted twice."""
    versions = [
        contract(9),
        contract(9, owner="ops", drift={"warn": 0.2}, label={"horizon": "1d"}),
        contract(7, owner="ops"),
        contract(9, drift={"warn": 0.3}),
    ]
    begins, flow = [0], EventFlow(settings)
    try:
        with running_profiler(settings), running_profiler(settings, slot="1"):
            for one in versions:
                before = flow.sent
                eventually(lambda before=before: flow.sent > before + 80)
                begins.append(publish(settings, one, lead=0.3).in_effect_from)
            before = flow.sent
            eventually(lambda: flow.sent > before + 80)
            flow.end()
            log = all_read(settings)
    finally:
        flow.end()
    rules = [WITHOUT_CONTRACT, *(rule(one) for one in versions)]

    def applied(row: RawRow) -> Rule:
        return rules[bisect_right(begins, row.appended_at) - 1]

    rows = raw_rows(settings)
    assert {applied(row) for row in rows} == {WITHOUT_CONTRACT, rule(versions[0]), rule(versions[2])}
    assert sum(row.event is not None for row in rows) == flow.sent == log.whole().events
    assert_recomputed(log, rows, applied)


def rule(one: Contract) -> Rule:
    """How events are counted under a contract."""
    return Rule(one.shape(), one.features["age"].precision, one.prediction.score_precision)
