"""Which windows a contract has judged."""

from __future__ import annotations

import pytest
from flushes import contract

from stream_processors.contracts.model import Drift, Windows
from stream_processors.monitor.judged_windows import judged_widths, judged_windows, reference_name, width_of
from stream_processors.windows import DAY, MONTH, SECOND, WEEK, Window

HOUR = 3600 * SECOND
TRAINING = {"training": "abc"}


def _spelled(base: int, *rollups: str, training: bool = True) -> list[str]:
    windows = Windows(base=base, rollups=rollups)
    return [
        str(width)
        for width in judged_widths(contract(windows=windows, references=TRAINING if training else {}))
    ]


@pytest.mark.parametrize(
    ("base", "rollups", "training", "judged"),
    [
        (60, ("1h", "1d"), True, ["1d"]),
        (60, ("1h", "1d", "1w", "month"), True, ["1d", "1w", "1mo"]),
        (60, ("1h", "1d"), False, ["1h"]),
        (86400, (), True, ["1d"]),
        (3600, (), True, ["1d"]),
        (60, ("3d",), True, ["1d"]),
        (43200, (), False, ["12h"]),
        (3200, (), False, ["1d"]),
    ],
)
def test_judged_widths_follow_the_contract(
    base: int, rollups: tuple[str, ...], training: bool, judged: list[str]
) -> None:
    """At least a day against training, else an hour; the smallest listed, or one that base windows add up to."""
    assert _spelled(base, *rollups, training=training) == judged


def test_a_model_without_contract_is_judged_by_the_hour_against_nothing() -> None:
    """No contract names no reference; the whole is still told, hourly."""
    assert reference_name(None) == ""
    assert [str(width) for width in judged_widths(None)] == ["1h"]


def test_training_is_used_unless_the_contract_wants_others() -> None:
    """A published training reference is the default; a contract that lists other references is taken at its word."""
    assert reference_name(contract(references=TRAINING)) == "training"
    assert (
        reference_name(contract(references=TRAINING, drift=Drift(references=("training", "previous"))))
        == "training"
    )
    assert reference_name(contract(references=TRAINING, drift=Drift(references=("seasonal",)))) == ""


def test_a_base_window_belongs_to_one_window_of_each_width() -> None:
    """A minute of 1970-01-08 is part of that day, of the week from Monday the 5th, and of January."""
    windows = Windows(base=60, rollups=("1d", "1w", "month"))
    minute = 7 * DAY + 5 * HOUR
    found = judged_windows(contract(windows=windows, references=TRAINING), minute, minute + 60 * SECOND)
    assert found == [Window(7 * DAY, 8 * DAY), Window(4 * DAY, 11 * DAY), Window(0, 31 * DAY)]
    assert [width_of(window) for window in found][2] == MONTH
    assert width_of(found[1]).micros == WEEK


def test_a_base_window_too_long_for_every_judged_one_is_judged_as_it_is() -> None:
    """A contract may have changed between the profiler's flush and now: no event goes unjudged for it."""
    assert judged_windows(None, 7 * DAY, 8 * DAY) == [Window(7 * DAY, 8 * DAY)]
