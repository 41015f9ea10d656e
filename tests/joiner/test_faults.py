"""Joiners that are killed, doubled, or find their surroundings wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joiner.joining_road import DAY, Road, Row, said, told
from kafka_topics import make_topic_anew
from waiting import eventually

from producers.errors import ConfigError
from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.joiner.marks import Marks
from stream_processors.kafka import create_topics

HOUR = timedelta(hours=1)
_LEFT_OUT = {"revision", "label_offset", "label_appended_at", "label_topic_id", "label_partition"}


def traffic(model: str, n: int, seed: int) -> list[tuple[str, list[Row]]]:
    """Batches of predictions and facts in an order that leaves facts before, beside and after their predictions."""
    random = np.random.default_rng(seed)
    predictions, facts = [], []
    for place in range(n):
        at = DAY + timedelta(minutes=int(random.integers(0, 6 * 60)))
        name = f"{model}{place}"
        predictions.append(said(name, model, at, score=round(float(random.random()), 3)))
        truth = str(random.choice(["true", "false"]))
        facts.append(told(name, model, at + HOUR, truth=truth, label_id=f"{name}-1"))
        if place % 7 == 0:
            facts.append(
                told(name, model, at + 2 * HOUR, kind="correction", truth="true", label_id=f"{name}-2")
            )
    random.shuffle(facts)
    batches: list[tuple[str, list[Row]]] = []
    for place in range(0, n, n // 10):
        batches.append(("labels", facts[place : place + n // 10]))
        batches.append(("predictions", predictions[place : place + n // 10]))
    batches.append(("labels", facts[len(batches) // 2 * (n // 10) :]))
    return batches


def content(value: Any, model: str) -> Any:
    """A value without what depends on when and under which name it was made; sums agree to nine digits."""
    if isinstance(value, dict):
        kept = {
            name: one for name, one in value.items() if name not in _LEFT_OUT and not name.startswith("_")
        }
        return {name: content(one, model) for name, one in kept.items()}
    if isinstance(value, list | tuple):
        return [content(one, model) for one in value]
    if isinstance(value, float):
        return float(f"{value:.9g}")
    return value.replace(model, "m") if isinstance(value, str) else value


def settled(road: Road, model: str, facts: int) -> tuple[list[Row], list[Row]]:
    """Outcomes and last revisions once every fact is in a closed window's last revision."""
    outcomes = road.outcomes_are(model, facts)
    road.joined()
    road.close_windows()
    labelled = len({row["prediction_id"] for row in outcomes})

    def there() -> list[Row]:
        rows = road.quality(model)
        assert rows
        assert all(row["closed"] for row in rows)
        assert sum(row["labelled"] for row in rows) == labelled
        assert sum(row["predictions"] for row in rows) == labelled
        return rows

    return outcomes, eventually(there, within=60, saying=f"the last revision of {model}")


def test_kills_leave_the_last_revisions_of_an_undisturbed_run(own_road: Road) -> None:
    """A joiner killed again and again while traffic flows leaves the outcomes and figures of one that was left in peace."""
    road = own_road
    road.start("recorder")
    joiner = road.start("joiner")
    calm = traffic("calm", 400, seed=5)
    for topic, rows in calm:
        road.send(topic, rows)
    facts = sum(len(rows) for topic, rows in calm if topic == "labels")
    undisturbed = settled(road, "calm", facts)
    for place, (topic, rows) in enumerate(traffic("wild", 400, seed=5)):
        road.send(topic, rows)
        if place % 7 == 5:
            before = road.messages("outcomes")
            eventually(lambda b=before: road.messages("outcomes") > b, within=30, saying="outcomes flow")
            road.kill(joiner)
            joiner = road.start("joiner")
    disturbed = settled(road, "wild", facts)
    for kept, found in zip(undisturbed, disturbed, strict=True):
        assert content(kept, "calm") == content(found, "wild")


def test_a_kill_after_the_last_fact_still_leaves_a_last_revision(own_road: Road) -> None:
    """What is due follows from the record: a joiner that starts when all is recorded measures what its predecessor did not."""
    road = own_road
    road.start("recorder")
    slow = road.start("joiner", HINDCAST_QUALITY_INTERVAL="3600")
    road.send("predictions", [said(f"p{k}", "m", DAY) for k in range(20)])
    road.send("labels", [told(f"p{k}", "m", DAY) for k in range(10)])
    road.outcomes_are("m", 10)
    road.joined()
    assert not road.quality("m")
    road.kill(slow)
    road.start("joiner")
    eventually(
        lambda: [row["labelled"] for row in road.quality("m")] == [10], within=30, saying="the revision"
    )


@pytest.mark.parametrize("anew", [("predictions", "labels"), ("labels",)], ids=["both", "labels"])
def test_topics_made_anew_while_the_joiner_runs(own_road: Road, anew: tuple[str, ...]) -> None:
    """It is noticed, and the new topics' labels find their predictions, though they have fewer messages than the old ones had."""
    road = own_road
    road.start("recorder")
    joiner = road.start("joiner")
    road.send("predictions", [said(f"old{k}", "m", DAY) for k in range(40)])
    road.send("labels", [told(f"old{k}", "m", DAY) for k in range(40)])
    road.outcomes_are("m", 40)
    road.joined()
    for topic in anew:
        full = road.kafka.topic(topic)
        # so long that the joiner is without it
        make_topic_anew(
            road.kafka,
            topic,
            meanwhile=lambda full=full: eventually(lambda: full in road.heartbeat()["last_error"]),
        )
    road.send("predictions", [said(f"new{k}", "m", DAY) for k in range(10)])
    road.send("labels", [told(f"new{k}", "m", DAY) for k in range(10)])
    eventually(lambda: len(road.outcomes("m")) == 50, within=60, saying="the new topics are joined")
    assert len({row["prediction_id"] for row in road.outcomes("m")}) == 50
    assert joiner.poll() is None


def test_two_joiners_share_the_work(own_road: Road) -> None:
    """Two slots own two partitions each; every pair is joined once, and each model is measured by one of them."""
    road = own_road
    road.start("recorder")
    joiners = [road.start("joiner", slot) for slot in "ab"]
    eventually(lambda: _owned(road.status_dir) == [2, 2], within=40, saying="two partitions each")
    for model in ("m", "n"):
        road.send("predictions", [said(f"{model}{k}", model, DAY, score=0.5) for k in range(200)])
        road.send("labels", [told(f"{model}{k}", model, DAY) for k in range(200)])
    for model in ("m", "n"):
        road.outcomes_are(model, 200)
        eventually(
            lambda m=model: [row["labelled"] for row in road.quality(m)] == [200],
            within=30,
            saying=f"quality of {model}",
        )
    assert road.messages("outcomes") == 400
    road.kill(joiners[0])
    road.send("labels", [told(f"m{k}", "m", DAY + HOUR, kind="retraction") for k in range(200)])
    eventually(
        lambda: [row["labelled"] for row in road.quality("m")] == [0],
        within=60,
        saying="the other one goes on",
    )


def test_of_two_joiners_of_one_slot_one_ends(own_road: Road) -> None:
    """They push each other out until one ends with exit code 2; the other joins on."""
    road = own_road
    road.start("recorder")
    pair = [road.start("joiner"), road.start("joiner")]
    eventually(
        lambda: sorted(str(joiner.poll()) for joiner in pair) == ["2", "None"],
        within=90,
        saying="one of the two ends",
    )
    road.send("predictions", [said("p", "m", DAY)])
    road.send("labels", [told("p", "m", DAY)])
    road.outcomes_are("m", 1)


def _owned(directory: Path) -> list[int]:
    """How many partitions of `labels` each joiner owns."""
    beats = [json.loads(path.read_text()) for path in sorted(directory.glob("joiner-*.json"))]
    return [sum(name.startswith("labels-") for name in beat["positions"]) for beat in beats]


def test_a_stop_is_quick_and_clean(own_road: Road) -> None:
    """SIGTERM ends it with code 0, and its successor takes its place at once."""
    road = own_road
    road.start("recorder")
    joiner = road.start("joiner")
    eventually(lambda: _owned(road.status_dir) == [4], within=30, saying="the joiner works")
    joiner.terminate()
    assert joiner.wait(3) == 0


def test_unequal_partitions_are_said_at_start(own_road: Road, topic_prefix: str) -> None:
    """Labels and predictions that do not share their partitioning are refused, in one line that names both."""
    settings = KafkaSettings(own_road.kafka.bootstrap, f"{topic_prefix}x")
    create_topics(settings, [topic for name, topic in topics().items() if name != "labels"])
    create_topics(settings, [topics()["labels"]], partitions=3)
    with pytest.raises(ConfigError, match=r"labels has 3 partitions and .*predictions has 4"):
        Marks(settings)
    refused = own_road.start("joiner", HINDCAST_TOPIC_PREFIX=settings.topic_prefix)
    assert refused.wait(20) == 2


def test_a_store_that_is_away_delays_and_loses_nothing(own_road: Road) -> None:
    """A joiner started against a dead ClickHouse says so and waits; one that reaches it has lost nothing."""
    road = own_road
    road.start("recorder")
    away = road.start("joiner", "away", HINDCAST_CLICKHOUSE="http://default:@127.0.0.1:9")
    road.send("predictions", [said("p", "m", DAY)])
    road.send("labels", [told("p", "m", DAY)])
    beat = road.status_dir / "joiner-away.json"
    eventually(
        lambda: beat.exists() and "ClickHouse does not answer" in json.loads(beat.read_text())["last_error"],
        within=30,
        saying="the heartbeat names the fault",
    )
    assert away.poll() is None
    road.start("joiner")
    road.outcomes_are("m", 1)
