"""What cannot be recorded is kept with its bytes and its reason, and stops nothing else."""

from __future__ import annotations

import random
import time

import pytest
from recording_road import Road, example

from producers.codec import encode

NOW = time.time_ns() // 1000

GOOD = encode("prediction", example("prediction", event_time=NOW))


def test_bad_bytes_are_kept_and_the_rest_goes_on(road: Road) -> None:
    """Garbage, an unknown fingerprint, a tombstone and a cut message become dead letters with their bytes; good ones are recorded."""
    unknown = b"\xc3\x01" + b"\x07" * 8 + b"x"
    bad = [b"\xff\x00garbage", unknown, None, GOOD[:-5], b""]
    road.send("predictions", [GOOD, *bad, GOOD], key="the key", partition=2, headers=[("trace", b"\xfe")])
    road.start()
    road.recorded("predictions", "dead-letters")
    found = road.letters()
    assert [one["reason"] for one in found] == ["undecodable", "unknown_schema", *["undecodable"] * 3]
    assert [one["value"] for one in found] == [
        value.hex().upper() if value is not None else None for value in bad
    ]
    assert {(one["topic"], one["partition"], one["key"]) for one in found} == {
        ("predictions", 2, b"the key".hex().upper())
    }
    assert [one["offset"] for one in found] == [1, 2, 3, 4, 5]
    assert found[1]["fingerprint"] == "07" * 8
    assert found[0]["headers"] == ["trace=FE"]
    assert road.count("predictions") == 1
    assert road.rows(
        "SELECT dead_letter, count() AS n FROM intake FINAL GROUP BY dead_letter ORDER BY 1"
    ) == [
        {"dead_letter": False, "n": 2},
        {"dead_letter": True, "n": 5},
    ]


def test_an_event_from_the_future_is_a_dead_letter(running: Road) -> None:
    """A prediction more than an hour ahead of the broker's clock is set apart under its model's name."""
    ahead = example("prediction", event_time=NOW + 2 * 3_600_000_000, model="early bird")
    running.send_records("predictions", "prediction", [ahead])
    running.recorded("predictions", "dead-letters")
    [letter] = running.letters()
    assert (letter["reason"], letter["model"]) == ("implausible_time", "early bird")
    assert running.count("predictions") == 0


def test_a_time_that_clickhouse_cannot_keep_is_a_dead_letter(running: Road) -> None:
    """A label that became true in the year 1 or 9999 is set apart; its neighbours are recorded."""
    times = [-62_000_000_000_000_000, NOW, 250_000_000_000_000_000]
    records = [example("label", label_id=str(place), true_at=at) for place, at in enumerate(times)]
    running.send_records("labels", "label", records, partition=0)
    running.recorded("labels", "dead-letters")
    assert running.rows("SELECT label_id FROM labels FINAL") == [{"label_id": "1"}]
    assert [one["reason"] for one in running.letters()] == ["implausible_time"] * 2


def test_a_label_without_a_truth_is_a_dead_letter(running: Road) -> None:
    """It would count as labelled, with nothing to compare; a fact that takes back, or says that there will be none, needs no truth."""
    nothing = {"truth": None, "truth_value": None}
    said = [
        {},
        nothing,
        {**nothing, "kind": "correction"},
        {**nothing, "kind": "retraction"},
        {**nothing, "kind": "void"},
        {**nothing, "truth_value": 0.0},
        {**nothing, "true_at": 250_000_000_000_000_000},
    ]
    records = [example("label", label_id=str(place), **more) for place, more in enumerate(said)]
    running.send_records("labels", "label", records, partition=0)
    running.recorded("labels", "dead-letters")
    kept = running.rows("SELECT label_id FROM labels FINAL ORDER BY label_id")
    assert [row["label_id"] for row in kept] == ["0", "3", "4", "5"]
    letters = [(one["reason"], one["detail"]) for one in running.letters()]
    assert letters == [
        *[("incomplete", "a truth or correction with neither a class nor a number")] * 2,
        ("implausible_time", "a time is outside the years 1900 to 2299"),
    ]


def test_a_message_on_the_wrong_topic_is_a_dead_letter(running: Road) -> None:
    """A prediction on the topic of labels is not recorded as anything."""
    running.send("labels", [GOOD])
    running.recorded("labels", "dead-letters")
    assert [one["detail"] for one in running.letters()] == ["prediction.v1 does not belong on this topic"]
    assert running.count("predictions") == 0


def test_a_row_that_clickhouse_refuses_is_found_among_good_ones(road: Road) -> None:
    """One row of a thousand that ClickHouse refuses becomes a dead letter; the others are recorded; intake says which died."""
    road.store.command("ALTER TABLE predictions ADD CONSTRAINT no_beast CHECK score != 666")
    scores = [666.0 if number == 613 else 0.5 for number in range(1_000)]
    road.send_records(
        "predictions",
        "prediction",
        [
            example("prediction", prediction_id=f"p{n}", event_time=NOW, score=score)
            for n, score in enumerate(scores)
        ],
        partition=1,
    )
    road.start()
    road.recorded("predictions", "dead-letters")
    assert [(one["reason"], one["offset"]) for one in road.letters()] == [("refused", 613)]
    assert "666" not in str(road.letters()[0]["detail"])
    assert road.count("predictions") == 999
    assert road.rows("SELECT _offset FROM intake FINAL WHERE dead_letter") == [{"_offset": 613}]


def test_what_is_no_dead_letter_on_their_topic_is_one(running: Road) -> None:
    """A message that someone else put on dead-letters is recorded as a dead letter itself, and sent no further."""
    before = sum(running.ends("dead-letters").values())
    running.send("dead-letters", [b"not ours"], headers=[("hindcast.dead-letter", b'{"topic": 1}')])
    running.recorded("dead-letters")
    [letter] = running.letters()
    assert (letter["topic"], letter["value"]) == ("dead-letters", b"not ours".hex().upper())
    assert sum(running.ends("dead-letters").values()) == before + 1


def test_a_message_of_10_megabytes_fits_the_dead_letters(road: Road) -> None:
    """A message over the broker's limit is refused where it is sent; where the topic takes 10 MB, a bad one is kept whole."""
    value = b"\xff" + random.Random(1).randbytes(10_000_000)
    with pytest.raises(AssertionError, match="MSG_SIZE_TOO_LARGE"):
        road.send("predictions", [value])
    road.allow("predictions", 10_100_000)
    good = example("prediction", event_time=NOW, categorical_features={"text": "x" * 10_000_000})
    road.send_records("predictions", "prediction", [good])
    road.send("predictions", [value])
    road.start()
    road.recorded("predictions", "dead-letters")
    assert road.rows("SELECT length(value) AS n FROM dead_letters FINAL") == [{"n": len(value)}]
    rows = road.rows("SELECT length(categorical_features['text']) AS n FROM predictions FINAL")
    assert rows == [{"n": 10_000_000}]
