"""What cannot be recorded is kept with its bytes and its reason, and stops nothing else."""

from __future__ import annotations

import random
import time

import pytest
from recording_road import Road, example
from waiting import eventually

from producers.codec import encode
from producers.errors import ConfigError
from producers.topics import topics
from stream_processors.kafka import create_topics

NOW = time.time_ns() // 1000

GOOD = encode("prediction", example("prediction", event_time=NOW))


def letters(road: Road) -> list[dict[str, object]]:
    """Dead letters in order of where the original stands."""
    return road.rows(
        "SELECT topic, partition, offset, reason, detail, fingerprint, model, hex(key) AS key, hex(value) AS value,"
        " arrayMap(h -> h.name || '=' || hex(h.value), headers) AS headers,"
        " replayed FROM dead_letters FINAL ORDER BY topic, partition, offset"
    )


def test_bad_bytes_are_kept_and_the_rest_goes_on(road: Road) -> None:
    """Garbage, an unknown fingerprint, a tombstone and a cut message become dead letters with their bytes; good ones are recorded."""
    unknown = b"\xc3\x01" + b"\x07" * 8 + b"x"
    bad = [b"\xff\x00garbage", unknown, None, GOOD[:-5], b""]
    road.send("predictions", [GOOD, *bad, GOOD], key="the key", partition=2, headers=[("trace", b"\xfe")])
    road.start()
    road.recorded("predictions", "dead-letters")
    found = letters(road)
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
    [letter] = letters(running)
    assert (letter["reason"], letter["model"]) == ("implausible_time", "early bird")
    assert running.count("predictions") == 0


def test_a_time_that_clickhouse_cannot_keep_is_a_dead_letter(running: Road) -> None:
    """A label that became true in the year 1 or 9999 is set apart; its neighbours are recorded."""
    times = [-62_000_000_000_000_000, NOW, 250_000_000_000_000_000]
    records = [example("label", label_id=str(place), true_at=at) for place, at in enumerate(times)]
    running.send_records("labels", "label", records, partition=0)
    running.recorded("labels", "dead-letters")
    assert running.rows("SELECT label_id FROM labels FINAL") == [{"label_id": "1"}]
    assert [one["reason"] for one in letters(running)] == ["implausible_time"] * 2


def test_a_message_on_the_wrong_topic_is_a_dead_letter(running: Road) -> None:
    """A prediction on the topic of labels is not recorded as anything."""
    running.send("labels", [GOOD])
    running.recorded("labels", "dead-letters")
    assert [one["detail"] for one in letters(running)] == ["prediction.v1 does not belong on this topic"]
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
    assert [(one["reason"], one["offset"]) for one in letters(road)] == [("refused", 613)]
    assert "666" not in str(letters(road)[0]["detail"])
    assert road.count("predictions") == 999
    assert road.rows("SELECT _offset FROM intake FINAL WHERE dead_letter") == [{"_offset": 613}]


def test_what_is_no_dead_letter_on_their_topic_is_one(running: Road) -> None:
    """A message that someone else put on dead-letters is recorded as a dead letter itself, and sent no further."""
    before = sum(running.ends("dead-letters").values())
    running.send("dead-letters", [b"not ours"], headers=[("hindcast.dead-letter", b'{"topic": 1}')])
    running.recorded("dead-letters")
    [letter] = letters(running)
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


def test_messages_that_left_the_log_are_said_and_recorded(road: Road) -> None:
    """A gap between the committed offset and the log's start is a dead letter of reason `expired`, once."""
    road.send("labels", [encode("label", example("label", label_id=str(n))) for n in range(10)], partition=0)
    first = road.start()
    road.recorded("labels")
    road.kill(first)
    road.send(
        "labels", [encode("label", example("label", label_id=str(n))) for n in range(10, 20)], partition=0
    )
    road.drop_before("labels", 0, 15)
    road.start()
    road.recorded("labels", "dead-letters")
    [letter] = letters(road)
    assert (letter["reason"], letter["offset"]) == ("expired", 10)
    assert "offsets 10 to 14" in str(letter["detail"])
    assert road.count("labels") == 15
    eventually(lambda: "offsets 10 to 14" in road.heartbeat()["last_error"], saying="the status says it")


def test_a_record_survives_a_topic_made_anew(road: Road) -> None:
    """A topic that is deleted and made again begins at offset 0: its messages are recorded beside the old ones."""
    road.send("labels", [encode("label", example("label", label_id="old"))], partition=0)
    first = road.start()
    road.recorded("labels")
    road.kill(first)
    road.delete_topic("labels")

    def made() -> bool:
        try:
            return bool(create_topics(road.kafka, [topics()["labels"]]))
        except ConfigError:
            return False

    eventually(made, within=20, saying="the topic is made anew")
    road.send("labels", [encode("label", example("label", label_id="new"))], partition=0)
    road.start()
    road.recorded("labels")
    rows = road.rows("SELECT label_id, _offset FROM labels FINAL ORDER BY label_id")
    assert rows == [{"label_id": "new", "_offset": 0}, {"label_id": "old", "_offset": 0}]
