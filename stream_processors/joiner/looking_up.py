"""The outcomes of a stretch of facts or predictions: asked of the record, matched, put side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.contracts.effect import ContractHistory
from stream_processors.joiner.horizons import horizons
from stream_processors.joiner.matching import (
    Matches,
    first_facts,
    first_predictions,
    match,
    told_apart,
    unmatched_nearby,
)
from stream_processors.joiner.micros import Mask, micros
from stream_processors.joiner.outcomes import outcomes
from stream_processors.joiner.ranges import Range
from stream_processors.joiner.record import Stretch, ever, near

VersionsOf = Callable[[list[str]], pa.Table]


def outcomes_of(stretch: Stretch, history: ContractHistory, versions: VersionsOf) -> pa.Table | None:
    """Outcomes as in outcome.v1; None where no fact is concerned.

    Of facts: with the predictions appended before them, and the first after them where there are none. Of predictions: with the facts
    appended before them, which were still waiting, or belong to this version as well.

    Args:
        stretch: what is joined.
        history: contracts.
        versions: all that are on record of some models.

    Raises:
        StoreUnavailable: ask again.
    """
    facts = told_apart(first_facts(stretch.facts()))
    if stretch.table == "labels":
        # other facts about the same ids came along only to tell first arrivals
        facts = facts.filter(pa.array(_inside(facts, stretch.topic_id, stretch.ranges)))
    if not facts.num_rows:
        return None
    predictions = _candidates(stretch, facts, versions)
    matches = match(facts, predictions, horizons(facts, history))
    if stretch.table == "predictions":
        matches = _appended_after(facts, predictions, matches)
    return outcomes(facts, predictions, matches)


def _candidates(stretch: Stretch, facts: pa.Table, versions: VersionsOf) -> pa.Table:
    """Predictions near the facts' hints, and of any event time for the facts that do not find every version there."""
    first, last, hinted = near(facts)
    predictions = first_predictions(stretch.candidates(hinted, first, last))
    if stretch.table == "labels":
        others = versions(hinted["model"].unique().to_pylist())
    else:
        others = stretch.versions()
    missing = unmatched_nearby(facts, predictions, others)
    if missing.any():
        more = stretch.candidates(facts.filter(pa.array(missing)), *ever(int(missing.sum())))
        predictions = first_predictions(pa.concat_tables([predictions, more]))
    return predictions


def _inside(facts: pa.Table, topic_id: str, ranges: Mapping[int, Range]) -> Mask:
    partition, offset = facts["_partition"].to_numpy(), facts["_offset"].to_numpy()
    ours: Mask = pc.equal(facts["_topic_id"], topic_id).to_numpy()
    inside = np.zeros(facts.num_rows, dtype=np.bool_)
    for number, one in ranges.items():
        inside |= (partition == number) & (offset >= one.first) & (offset < one.end)
    return inside & ours


def _appended_after(facts: pa.Table, predictions: pa.Table, matches: Matches) -> Matches:
    """Only pairs whose prediction came after the fact: the others were found when the fact was passed."""
    after = (
        micros(predictions["_appended_at"])[matches.prediction] > micros(facts["_appended_at"])[matches.fact]
    )
    return Matches(matches.fact[after], matches.prediction[after], matches.ambiguous[after])
