"""A label finds its prediction: which of several, in which order, and as known when."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from recorded_rows import Recorder, label, prediction, utc

from stream_processors.contracts.model import Contract

DAY = timedelta(days=1)
NOON = utc("2024-03-01T12:00:00")


def outcomes(record: Recorder, view: str = "outcomes_all_v", **parameters: Any) -> list[dict[str, Any]]:
    """Rows of an outcome view in a fixed order."""
    return record.store.rows(
        f"SELECT * FROM {view} ORDER BY model, model_version, environment, prediction_id, output, event_time",
        parameters,
    )


def truths(record: Recorder, view: str = "outcomes_all_v", **parameters: Any) -> list[tuple[str, str | None]]:
    """State and truth of every prediction in a fixed order."""
    return [(row["label_state"], row["truth"]) for row in outcomes(record, view, **parameters)]


AS_OF = "outcomes_all_as_of(t = {t:DateTime64(6, 'UTC')})"


def test_unlabelled_prediction_is_there(record: Recorder) -> None:
    """A prediction without any fact is an outcome without a truth."""
    record.insert("predictions", [prediction("a", NOON)])
    assert truths(record) == [("unlabelled", None)]
    row = outcomes(record)[0]
    assert (row["facts"], row["known_lag_s"], row["truth_known_at"], row["log_loss"]) == (0, None, None, None)


def test_resent_prediction_and_label_count_once(record: Recorder) -> None:
    """The same prediction and the same fact under two offsets are one outcome."""
    record.insert("predictions", [prediction("a", NOON), prediction("a", NOON, _appended_at=NOON + DAY)])
    record.insert("labels", [label("a", NOON + DAY), label("a", NOON + DAY)])
    rows = outcomes(record)
    assert [(row["truth"], row["facts"], row["ambiguous"]) for row in rows] == [("true", 1, False)]


def test_last_fact_by_report_then_kind_then_id_counts(record: Recorder) -> None:
    """Facts are ordered by reported_at, then kind (truth, correction, retraction, void), then label_id; arrival is no matter."""
    record.insert("predictions", [prediction(name, NOON) for name in "abcd"])
    later = NOON + DAY
    record.insert(
        "labels",
        [
            label("a", later, "new", kind="correction"),
            label("a", NOON, "old", known_at=later + DAY, _appended_at=later + DAY),
            label("b", later, "kind wins", kind="correction", label_id="1"),
            label("b", later, "loses", kind="truth", label_id="2"),
            label("c", later, "loses", label_id="1"),
            label("c", later, "id wins", label_id="2"),
            label("d", later, "taken back", label_id="1"),
            label("d", later, None, kind="retraction", label_id="0"),
        ],
    )
    assert truths(record) == [
        ("labelled", "new"),
        ("labelled", "kind wins"),
        ("labelled", "id wins"),
        ("retracted", None),
    ]


def test_history_of_one_truth(record: Recorder) -> None:
    """Truth, correction, retraction and void are each seen from the moment they were known, not reported."""
    record.insert("predictions", [prediction("a", NOON)])
    kinds = ["truth", "correction", "retraction", "void"]
    record.insert(
        "labels",
        [
            label("a", NOON + n * DAY, kind, kind=kind, known_at=NOON + (n + 0.5) * DAY, label_id=str(n))
            for n, kind in enumerate(kinds, 1)
        ],
    )
    seen = [truths(record, AS_OF, t=NOON + n * DAY)[0] for n in range(6)]
    assert seen == [
        ("unlabelled", None),
        ("unlabelled", None),
        ("labelled", "truth"),
        ("labelled", "correction"),
        ("retracted", None),
        ("void", None),
    ]
    assert outcomes(record)[0]["first_truth_known_at"] == NOON + 1.5 * DAY


def test_prediction_is_not_known_before_it_was(record: Recorder) -> None:
    """A prediction that a bulk load states as known later is not in an earlier answer; a moment's own facts are."""
    record.insert("predictions", [prediction("a", NOON, known_at=NOON + DAY, backfilled=True)])
    record.insert("labels", [label("a", NOON + timedelta(hours=1))])
    assert truths(record, AS_OF, t=NOON + DAY - timedelta(microseconds=1)) == []
    assert truths(record, AS_OF, t=NOON + DAY) == [("labelled", "true")]
    row = outcomes(record)[0]
    assert row["truth_known_at"] == NOON + DAY
    assert (row["truth_lag_s"], row["known_lag_s"]) == (3600.0, 86400.0)


def test_champion_and_shadow_share_a_fact(record: Recorder) -> None:
    """A fact that names no version belongs to every version that used the id; one that names a version or environment to that alone."""
    record.insert(
        "predictions",
        [
            prediction("a", NOON, model_version="1"),
            prediction("a", NOON, model_version="2", served=False),
            prediction("a", NOON, model_version="2", environment="staging"),
            prediction("a", NOON, model="other"),
            prediction("a", NOON, output="second"),
        ],
    )
    record.insert("labels", [label("a", NOON + DAY, "all")])
    assert [truth for _, truth in truths(record)] == ["all", None, "all", "all", None]
    assert truths(record, "outcomes_v") == [
        ("labelled", "all"),
        ("unlabelled", None),
        ("labelled", "all"),
        ("unlabelled", None),
    ]
    record.insert("labels", [label("a", NOON + 2 * DAY, "two", model_version="2")])
    record.insert("labels", [label("a", NOON + 3 * DAY, "staged", environment="staging")])
    assert [truth for _, truth in truths(record)] == ["all", None, "two", "staged", None]


def test_reused_id_takes_the_latest_before_its_truth(record: Recorder) -> None:
    """Of several predictions with one id a fact belongs to the latest before its true_at, or to the earliest if none is before."""
    times = [NOON, NOON + DAY, NOON + 2 * DAY]
    record.insert("predictions", [prediction("a", time) for time in times])
    appended = NOON + 9 * DAY
    record.insert("labels", [label("a", appended, "second", true_at=NOON + 1.5 * DAY)])
    assert [truth for _, truth in truths(record)] == [None, "second", None]
    record.insert("labels", [label("a", appended + DAY, "too early", true_at=NOON - DAY)])
    record.insert("labels", [label("a", appended + 2 * DAY, "last", true_at=NOON + 8 * DAY)])
    assert [truth for _, truth in truths(record)] == ["too early", "second", "last"]
    assert all(row["ambiguous"] for row in outcomes(record))


def test_match_does_not_depend_on_when_one_looks(record: Recorder) -> None:
    """A prediction appended after the fact takes it only if none was appended before, and then the first one appended."""
    fact_appended = NOON + DAY
    record.insert(
        "predictions",
        [
            prediction("a", NOON, _appended_at=fact_appended),
            prediction("a", NOON + timedelta(hours=1), _appended_at=fact_appended + timedelta(hours=1)),
            prediction("b", NOON + timedelta(hours=2), _appended_at=fact_appended + timedelta(hours=3)),
            prediction("b", NOON + timedelta(hours=3), _appended_at=fact_appended + timedelta(hours=2)),
        ],
    )
    record.insert("labels", [label(name, fact_appended, name, true_at=NOON + 9 * DAY) for name in "ab"])
    assert [truth for _, truth in truths(record)] == ["a", None, None, "b"]


def test_past_the_horizon_a_fact_is_an_orphan(record: Recorder) -> None:
    """A prediction that the broker appends longer after the fact than the contract of then allows is not its prediction, as for the joiner."""
    body = Contract.model_validate({"model": "m", "label": {"horizon": "1h"}}).canonical()
    record.insert(
        "contracts",
        [{"model": "m", "digest": "d", "body": body, "in_effect_from": NOON, "environment": "staging"}],
    )
    hour = timedelta(hours=1)
    places = ("staging", NOON), ("staging", NOON - DAY), ("production", NOON)
    for number, (environment, told) in enumerate(places):
        for name, waited in (("in", hour), ("out", hour + timedelta(microseconds=1)), ("later", 31 * DAY)):
            where = {"model": "m", "environment": environment}
            record.insert("labels", [label(f"{number}{name}", told, label_id=name, **where)])
            said = prediction(f"{number}{name}", told, _appended_at=told + waited, **where)
            record.insert(
                "predictions", [said, {**said, "event_time": told + hour, "_appended_at": told + 32 * DAY}]
            )
    found = record.store.rows(
        "SELECT prediction_id FROM outcomes_all_v WHERE label_state = 'labelled' ORDER BY prediction_id"
    )
    assert [row["prediction_id"] for row in found] == ["0in", "1in", "1out", "2in", "2out"]


def test_a_hint_chooses_among_reused_ids(record: Recorder) -> None:
    """Where the fact says when it was predicted, or a UUIDv7 does, predictions within an hour of that go first."""
    uuid = "018e0000-0000-7000-8000-000000000000"
    made = utc("2024-03-02T16:29:43.808")
    for name, first in (("a", NOON), (uuid, made)):
        record.insert("predictions", [prediction(name, first), prediction(name, first + DAY)])
    appended = NOON + 9 * DAY
    record.insert(
        "labels", [label("a", appended, predicted_at=NOON + timedelta(minutes=59)), label(uuid, appended)]
    )
    assert [state for state, _ in truths(record)] == ["labelled", "unlabelled"] * 2
    record.insert(
        "labels",
        [
            label("a", appended + DAY, "no hint"),
            label("a", appended + DAY, label_id="far", predicted_at=NOON - DAY),
        ],
    )
    assert [row["facts"] for row in outcomes(record)] == [1, 0, 1, 2]


def test_single_candidate_matches_whatever_the_clocks_say(record: Recorder) -> None:
    """One prediction takes its fact, although it was true, reported and appended before the prediction."""
    record.insert("predictions", [prediction("a", NOON)])
    record.insert("labels", [label("a", NOON - DAY)])
    row = outcomes(record)[0]
    assert (row["truth"], row["truth_lag_s"], row["known_lag_s"]) == ("true", -86400.0, 0.0)


def test_labels_as_of_gives_the_fact_that_counts(record: Recorder) -> None:
    """labels_as_of(t) and labels_v hold one row per id, version and environment a source named."""
    record.insert(
        "labels",
        [
            label("a", NOON, "old"),
            label("a", NOON + DAY, "new", kind="correction"),
            label("a", NOON + DAY, "two", model_version="2", label_id="2"),
            label("b", NOON, "x"),
            label("b", NOON + DAY, None, kind="void"),
        ],
    )
    columns = "prediction_id, model_version, label_state, truth, facts"
    order = "ORDER BY prediction_id, ifNull(model_version, '')"
    now = [tuple(row.values()) for row in record.store.rows(f"SELECT {columns} FROM labels_v {order}")]
    assert now == [
        ("a", None, "labelled", "new", 2),
        ("a", "2", "labelled", "two", 1),
        ("b", None, "void", None, 2),
    ]
    then = record.store.rows(
        f"SELECT {columns} FROM labels_as_of(t = {{t:DateTime64(6, 'UTC')}}) {order}", {"t": NOON}
    )
    assert [tuple(row.values()) for row in then] == [
        ("a", None, "labelled", "old", 1),
        ("b", None, "labelled", "x", 1),
    ]


def test_one_entity_has_the_outcomes_that_it_has_among_all(record: Recorder) -> None:
    """Asked about one entity, a fact finds the same prediction as among all, also where another entity or model uses the id."""
    appended = NOON + 9 * DAY
    record.insert(
        "predictions",
        [
            prediction("a", NOON, entity_id="e"),
            prediction("a", NOON + DAY, entity_id="other"),
            prediction("a", NOON, entity_id="e", model="another"),
            prediction("b", NOON, entity_id="e"),
            prediction("b", NOON, entity_id="e", _appended_at=NOON + DAY),
            prediction("c", NOON, entity_id="e"),
            prediction("d", NOON, entity_id="other"),
            prediction("f", NOON),
        ],
    )
    record.insert("labels", [label(name, appended, name, true_at=appended) for name in "abdf"])
    whole = f"(SELECT * FROM {AS_OF} WHERE model = {{model:String}} AND entity_id = {{entity:String}})"
    of_one = "outcomes_all_of(t = {t:DateTime64(6, 'UTC')}, model = {model:String}, entity = {entity:String})"
    for entity, expected in (
        ("e", [("unlabelled", None), ("labelled", "b"), ("unlabelled", None)]),
        ("other", [("labelled", "a"), ("labelled", "d")]),
        ("nobody", []),
    ):
        asked = {"t": appended, "entity": entity, "model": prediction("a", NOON)["model"]}
        assert truths(record, of_one, **asked) == expected
        assert outcomes(record, of_one, **asked) == outcomes(record, whole, **asked)


def test_a_score_that_is_no_number_decides_nothing(record: Recorder) -> None:
    """NaN and infinities are on neither side of a threshold: they raise no accuracy and enter no curve, as with the joiner."""
    scores = {"a": 0.9, "b": math.nan, "c": math.inf, "d": -math.inf, "e": None, "f": 0.1}
    record.insert("predictions", [prediction(name, NOON, score=score) for name, score in scores.items()])
    record.insert("labels", [label(name, NOON + DAY, "true" if name in "ac" else "false") for name in scores])
    found = {row["prediction_id"]: (row["decided_positive"], row["correct"]) for row in outcomes(record)}
    assert found == {"a": (1, 1), "f": (0, 1), **dict.fromkeys("bcde", (None, None))}
    [quality] = record.store.rows("SELECT * FROM quality_as_of(t = now() + 1)")
    assert (quality["labelled"], quality["accuracy"], quality["roc_auc"], quality["mae"]) == (
        6,
        1.0,
        1.0,
        None,
    )


def publish(record: Recorder, **promised: Any) -> str:
    """Record a contract of model ``m``; its digest."""
    contract = Contract.model_validate({"model": "m", "prediction": promised})
    digest = contract.digest()
    record.insert("contracts", [{"model": "m", "digest": digest, "body": contract.canonical()}])
    return digest


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # positive, decided_positive, correct, error
        ("regression", (None, None, None, -3.0)),
        ("ranking", (None, None, None, None)),
        ("multiclass", (None, None, None, None)),
        ("binary", (0, 1, 0, None)),
        ("", (None, 1, None, None)),
    ],
)
def test_a_whole_number_is_a_class_or_a_value_as_the_contract_says(
    record: Recorder, kind: str, expected: tuple[Any, ...]
) -> None:
    """``label(truth=53)`` tells both; without a contract nobody knows which was meant, as the joiner has it too."""
    digest = publish(record, kind=kind) if kind else ""
    record.insert("predictions", [prediction("a", NOON, score=50.0, contract=digest)])
    record.insert("labels", [label("a", NOON + DAY, "53", truth_value=53.0)])
    [row] = outcomes(record)
    assert tuple(row[name] for name in ("positive", "decided_positive", "correct", "error")) == expected
    assert (row["log_loss"], row["brier"]) == (None, None)
    assert (row["truth"], row["truth_value"]) == ("53", 53.0)
    assert row["true_class"] == (None if kind in {"regression", "ranking"} else "53")
    [month] = record.store.rows("SELECT * FROM quality_as_of(t = '2200-01-01 00:00:00')")
    assert month["accuracy"] == (0.0 if kind == "binary" else None)
    assert (month["mae"], month["labelled"]) == (3.0 if kind == "regression" else None, 1)


def test_a_truth_or_score_that_is_not_finite_is_in_no_error(record: Recorder) -> None:
    """A regression's figures are of finite pairs; the others are labelled all the same, as the joiner has it."""
    digest = publish(record, kind="regression")
    pairs = [(2.0, 1.0), (5.0, 2.0), (1.0, math.inf), (1.0, math.nan), (math.inf, math.inf), (math.nan, 1.0)]
    for place, (score, truth) in enumerate(pairs):
        record.insert("predictions", [prediction(str(place), NOON, score=score, contract=digest)])
        record.insert("labels", [label(str(place), NOON + DAY, None, truth_value=truth)])
    [month] = record.store.rows(
        "SELECT labelled, mae, rmse, bias FROM quality_as_of(t = '2200-01-01 00:00:00')"
    )
    assert month == {"labelled": 6, "mae": 2.0, "rmse": pytest.approx(math.sqrt(5)), "bias": 2.0}


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_probabilities_that_are_not_finite_have_no_loss(record: Recorder, odd: float) -> None:
    """Whether the odd one is the true class's or another's; the loss of the others is theirs."""
    digest = publish(record, kind="multiclass", classes=["a", "b"])
    given = {"x": {"a": 0.25, "b": 0.75}, "y": {"a": odd, "b": 0.5}, "z": {"a": 0.5, "b": odd}}
    for name, probabilities in given.items():
        record.insert("predictions", [prediction(name, NOON, probabilities=probabilities, contract=digest)])
        record.insert("labels", [label(name, NOON + DAY, "a")])
    assert [row["probability_of_truth"] for row in outcomes(record)] == [0.25, None, None]
    [month] = record.store.rows("SELECT log_loss FROM quality_as_of(t = '2200-01-01 00:00:00')")
    assert month["log_loss"] == pytest.approx(-math.log(0.25))


def test_a_negative_decision_is_right_whatever_it_is_called(record: Recorder) -> None:
    """Of two classes: `approve` is what was decided where `legit` is true; accuracy is that of the confusion, as the joiner has it."""
    digest = publish(record, kind="binary", positive_class="fraud")
    decided = {"a": "approve", "b": "fraud", "c": "fraud", "d": "approve"}
    truths = {"a": "legit", "b": "fraud", "c": "legit", "d": "other"}
    record.insert(
        "predictions",
        [prediction(name, NOON, score=0.1, decision=said, contract=digest) for name, said in decided.items()],
    )
    record.insert("labels", [label(name, NOON + DAY, truth) for name, truth in truths.items()])
    assert [row["correct"] for row in outcomes(record)] == [1, 1, 0, 1]
    [month] = record.store.rows("SELECT * FROM quality_as_of(t = '2200-01-01 00:00:00')")
    counts = [
        month[name] for name in ("true_positives", "true_negatives", "false_positives", "false_negatives")
    ]
    assert (counts, month["accuracy"]) == ([1, 2, 1, 0], 0.75)


def test_a_multiclass_decision_is_right_or_wrong_and_never_positive(record: Recorder) -> None:
    """A score beside classes is that of the class that was chosen: it is no probability of a positive one."""
    digest = publish(record, kind="multiclass", classes=list("abc"))
    given = {"score": 0.9, "decision": "a", "probabilities": {"a": 0.9, "b": 0.1}, "contract": digest}
    record.insert("predictions", [prediction(name, NOON, **given) for name in "xy"])
    record.insert("labels", [label("x", NOON + DAY, "a"), label("y", NOON + DAY, "b")])
    rows = outcomes(record)
    assert [(row["correct"], row["positive"], row["decided_positive"]) for row in rows] == [
        (1, None, None),
        (0, None, None),
    ]
    assert [row["probability_of_truth"] for row in rows] == [0.9, 0.1]
