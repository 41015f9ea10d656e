"""From facts and predictions on Kafka to outcomes in ClickHouse, with a real recorder and joiner."""

from __future__ import annotations

from datetime import timedelta

from joiner.joining_road import DAY, Road, identities, micros, said, told
from waiting import eventually

HOUR = timedelta(hours=1)


def test_a_fact_finds_its_prediction(road: Road) -> None:
    """A truth becomes one outcome that holds both sides, known when the later of the two was known."""
    road.send("predictions", [said("found", "plain", DAY, score=0.25, decision="false", entity_id="e")])
    road.send(
        "labels",
        [told("found", "plain", DAY + 2 * HOUR, true_at=micros(DAY + HOUR), predicted_at=micros(DAY))],
    )
    (row,) = road.outcomes_are("plain", 1)
    assert (row["score"], row["decision"], row["truth"], row["kind"]) == (0.25, "false", "true", "truth")
    assert (row["truth_lag_s"], row["known_lag_s"]) == (3600.0, 7200.0)
    assert row["known_at"] == DAY + 2 * HOUR
    assert row["backfilled"]
    assert not row["ambiguous"]


def test_a_fact_that_arrives_first_waits_for_its_prediction_and_joins_once(road: Road) -> None:
    """The truth is recorded and joined to nothing; when the prediction comes there is one outcome, and no second."""
    road.send("labels", [told("early", "first", DAY)])
    road.joined()
    assert not road.outcomes("first")
    road.send("predictions", [said("early", "first", DAY)])
    road.outcomes_are("first", 1)
    road.joined()
    road.outcomes_are("first", 1)


def test_every_fact_about_a_prediction_is_an_outcome(road: Road) -> None:
    """A truth, its correction, its retraction and a void are four outcomes, and the last one counts."""
    facts = [
        told("much", "facts", DAY + 1 * HOUR),
        told("much", "facts", DAY + 2 * HOUR, kind="correction", truth="false"),
        told("much", "facts", DAY + 3 * HOUR, kind="retraction"),
        told("other", "facts", DAY + 3 * HOUR, kind="void"),
    ]
    road.send("predictions", [said("much", "facts", DAY), said("other", "facts", DAY)])
    road.send("labels", facts)
    kinds = [row["kind"] for row in road.outcomes_are("facts", 4)]
    assert sorted(kinds) == ["correction", "retraction", "truth", "void"]
    (window,) = eventually(
        lambda: [row for row in road.quality("facts") if row["void"] == 1 and row["labelled"] == 0],
        within=20,
        saying="retraction and void count",
    )
    assert window["predictions"] == 2


def test_a_correction_under_the_id_of_what_it_corrects_is_an_outcome_of_its_own(road: Road) -> None:
    """A source that tells a row again under its id, at another time, corrects it for good: no later merge or revision undoes that."""
    road.send("predictions", [said(name, "crm", DAY, score=0.9) for name in ("l0", "l1")])
    again = {"label_id": "crm0", "predicted_at": micros(DAY)}
    road.send("labels", [told("l0", "crm", DAY + HOUR, truth="false", **again)])
    road.joined()
    road.send("labels", [told("l0", "crm", DAY + 2 * HOUR, kind="correction", **again)])
    at = micros(DAY + 2 * HOUR)
    facts = [(row["label_id"], row["truth"]) for row in road.outcomes_are("crm", 2)]
    assert facts == [("crm0", "false"), (f"crm0 {at}", "true")]
    road.store.command("OPTIMIZE TABLE outcomes FINAL")
    road.send("labels", [told("l1", "crm", DAY + HOUR)])
    (window,) = eventually(
        lambda: [row for row in road.quality("crm") if row["labelled"] == 2],
        within=20,
        saying="both are labelled",
    )
    assert dict(window["metrics"])["positive_rate"] == 1
    (row,) = road.store.rows("SELECT truth FROM outcomes_v WHERE model = 'crm' AND prediction_id = 'l0'")
    assert row == {"truth": "true"}
    assert not road.store.rows("SELECT * FROM unmatched_labels WHERE model = 'crm'")


def test_champion_and_shadow_both_get_the_truth(road: Road) -> None:
    """A fact without a version belongs to every version that used the id, also to one that scores it later."""
    road.send(
        "predictions",
        [said("both", "pair", DAY), said("both", "pair", DAY, model_version="2", served=False)],
    )
    road.send("labels", [told("both", "pair", DAY + HOUR, predicted_at=micros(DAY))])
    assert identities(road.outcomes_are("pair", 2)) == [
        ("both", "1", "truth", False),
        ("both", "2", "truth", False),
    ]
    road.joined()
    road.send("predictions", [said("both", "pair", DAY, model_version="3", served=False)])
    assert [row["model_version"] for row in road.outcomes_are("pair", 3)] == ["1", "2", "3"]


def test_a_shadow_that_scores_another_day_gets_the_truth(road: Road) -> None:
    """A second version that scored the ids far from the labels' hint gets every truth, before or after it, as the view says."""
    night = DAY + timedelta(days=2)
    names = [f"s{k}" for k in range(20)]
    road.send("predictions", [said(name, "nightly", DAY) for name in names])
    road.send(
        "predictions", [said(name, "nightly", night, model_version="2", served=False) for name in names[:10]]
    )
    road.joined()
    road.send("labels", [told(name, "nightly", night, predicted_at=micros(DAY)) for name in names])
    road.outcomes_are("nightly", 30)
    road.send(
        "predictions", [said(name, "nightly", night, model_version="2", served=False) for name in names[10:]]
    )
    outcomes = {(row["prediction_id"], row["model_version"]) for row in road.outcomes_are("nightly", 40)}
    view = road.store.rows(
        "SELECT prediction_id, model_version FROM outcomes_all_v WHERE model = 'nightly' AND label_state = 'labelled'"
    )
    assert outcomes == {(row["prediction_id"], row["model_version"]) for row in view}
    assert len(outcomes) == 40


def test_a_fact_of_another_version_is_not_ours(road: Road) -> None:
    """A fact that names a version that did not use the id stays unmatched beside one that names the right one."""
    road.send("predictions", [said("versions", "named", DAY), said("placed", "named", DAY)])
    road.send(
        "labels",
        [
            told("versions", "named", DAY, model_version="7"),
            told("versions", "named", DAY, environment="staging"),
            told("placed", "named", DAY, model_version="1", environment="production"),
        ],
    )
    road.joined()
    assert identities(road.outcomes_are("named", 1)) == [("placed", "1", "truth", False)]


def test_an_id_used_twice_is_ambiguous(road: Road) -> None:
    """Of two predictions with one id the truth belongs to the latest before it, and the outcome says that there were two."""
    road.send(
        "predictions", [said("twice", "reused", DAY + hours * HOUR, score=hours / 10) for hours in (1, 3, 5)]
    )
    road.joined()
    road.send("labels", [told("twice", "reused", DAY + 6 * HOUR, true_at=micros(DAY + 4 * HOUR))])
    (row,) = road.outcomes_are("reused", 1)
    assert row["score"] == 0.3
    assert row["ambiguous"]


def test_a_prediction_far_from_its_hint_is_found(road: Road) -> None:
    """A wrong hint, a caller's own id, a UUIDv7 of another hour, or a label told two months later delay nothing but the look-up."""
    uuid7 = "019caaaa-0000-7000-8000-000000000001"
    road.send("predictions", [said(name, "far", DAY + 9 * HOUR) for name in ("hinted", "order 17", uuid7)])
    road.send("predictions", [said("order 18", "far", DAY - timedelta(days=60))])
    road.send(
        "labels",
        [
            told("hinted", "far", DAY + 10 * HOUR, predicted_at=micros(DAY)),
            told("order 17", "far", DAY + 10 * HOUR),
            told("order 18", "far", DAY + 10 * HOUR),
            told(uuid7, "far", DAY + 10 * HOUR),
        ],
    )
    road.outcomes_are("far", 4)


def test_an_orphan_stays_in_the_record(road: Road) -> None:
    """A fact whose prediction never comes makes no outcome, stops nobody, and can be asked for."""
    road.send("labels", [told("nobody", "lonely", DAY)])
    road.send("predictions", [said("somebody", "lonely", DAY)])
    road.send("labels", [told("somebody", "lonely", DAY)])
    assert identities(road.outcomes_are("lonely", 1)) == [("somebody", "1", "truth", False)]
    unmatched = road.store.rows("SELECT prediction_id, state FROM unmatched_labels WHERE model = 'lonely'")
    assert unmatched == [{"prediction_id": "nobody", "state": "pending"}]


def test_what_is_sent_twice_is_joined_once(road: Road) -> None:
    """Resent predictions and facts leave one outcome, which points at the first arrival."""
    prediction, fact = said("again", "resent", DAY), told("again", "resent", DAY)
    road.send("predictions", [prediction, prediction])
    road.send("labels", [fact])
    (first,) = road.outcomes_are("resent", 1)
    road.send("labels", [fact])
    road.joined()
    assert road.outcomes_are("resent", 1) == [first]
