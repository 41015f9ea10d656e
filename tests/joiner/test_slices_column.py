"""What a query of quality says of many contracts."""

from __future__ import annotations

from typing import Any

from stream_processors.contracts.model import Contract
from stream_processors.joiner.quality.judging import Judged, slices_column


def judged(count: int, **fields: Any) -> list[Judged]:
    """So many publications that differ in their description alone."""
    made = [
        Contract.model_validate({"model": "m", "description": str(place), **fields}) for place in range(count)
    ]
    return [Judged(one.digest(), one) for one in made]


def test_publications_that_slice_alike_share_a_branch() -> None:
    """A thousand of one model, as of one that is trained again each day, are as long a query as two: what servers take is limited."""
    plans = judged(500, slices=[{"by": "plan", "values": ["basic", "plus"]}])
    origins = judged(500, slices=[{"by": "origin", "values": ["JFK"]}])
    # in turn, and one that slices by nothing
    contracts = [one for pair in zip(plans, origins, strict=True) for one in pair] + judged(1)
    sql, parameters = slices_column(contracts)
    assert sql.count("toString(contract) IN") == 2
    named = [value for name, value in parameters.items() if name.startswith("sliced_")]
    assert named == [[one.digest for one in plans], [one.digest for one in origins]]


def test_contracts_without_slices_have_the_whole_alone() -> None:
    """Nothing is asked of the predictions' features."""
    assert slices_column(judged(3)) == ("['']", {})
