"""A load looks at every row first, sends each, and goes on where it was stopped; what a contract would not keep is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from loaded_history import START, history, predictions_mapping

from hindcast.load import source
from hindcast.load.file_rows import FileRows
from hindcast.load.loader import Load, digest_of
from hindcast.load.mapping import FileMapping, LoadMapping
from hindcast.load.retention import DAY, Keeper
from hindcast.load.source import open_source
from hindcast.load.state import LoadState, Progress
from producers import BrokerUnavailable, ConfigError, PredictionLogger
from producers.testing import MemorySink
from stream_processors.contracts.effect import ContractHistory, PublishedContract
from stream_processors.contracts.model import Contract

NOW = int((START + timedelta(days=40)).timestamp() * 1_000_000)


@dataclass
class Told:
    """What a load tells of its progress."""

    moves: list[int] = field(default_factory=list)

    def __call__(self, count: int) -> None:
        """Be told."""
        self.moves.append(count)


def keeper(**contract: Any) -> Keeper:
    """What is kept, with a contract or without."""
    known = ContractHistory()
    if contract:
        one = Contract.model_validate({"model": "churn", **contract})
        known.add(
            PublishedContract.of(one, effective_from=0, appended_at=0, lead_ms=0, partition=0, offset=0)
        )
    return Keeper(known, "churn", NOW)


def load_of(path: Path, kept: Keeper | None = None, asked: LoadMapping | None = None, **more: Any) -> Load:
    """A load of a file."""
    opened = open_source(path)
    mapping = FileMapping(asked or predictions_mapping(), opened.schema, path.name)
    if mapping.asked.name == "prediction" and kept is None:
        kept = keeper()
    return Load(opened, FileRows(mapping, digest_of(path, lambda _: None)), kept, **more)


def state_at(path: Path) -> LoadState:
    """The state in a file."""
    return LoadState(path, {"file": "history.parquet"})


def logger(sink: MemorySink) -> PredictionLogger:
    """The logger of a load."""
    return PredictionLogger(model="churn", categorical=("zip",), sink=sink)


def test_a_file_is_loaded_whole(history_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row becomes an event, known when it happened; the state says that all are done."""
    monkeypatch.setattr(source, "PIECE_ROWS", 1_000)
    sink, checked, sent = MemorySink(), Told(), Told()
    what = load_of(history_file)
    with state_at(tmp_path / "state") as state, logger(sink) as log:
        assert what.check(NOW, checked) == 5_000
        what.send(log, state, sent)
        assert state.progress == Progress(rows=5_000, done=True)
    assert sum(checked.moves) == sum(sent.moves) == 5_000
    records, table = sink.records("predictions"), history(5_000)
    assert [record["score"] for record in records] == table["p"].to_pylist()
    assert [record["event_time"] for record in records] == table["scored_at"].to_pylist()
    assert all(record["known_at"] == record["event_time"] for record in records)
    assert [record["numeric_features"]["tenure"] for record in records] == table["tenure"].to_pylist()
    assert {record["categorical_features"]["zip"] for record in records} == set("012345678")
    assert len({record["prediction_id"] for record in records}) == 5_000


def test_a_load_goes_on_where_it_was_stopped(
    history_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stopped in the middle and begun again has sent each row under one id, and none is missing."""
    monkeypatch.setattr(source, "PIECE_ROWS", 700)
    monkeypatch.setattr("hindcast.load.sent._SAVE_S", 0.0)
    sink = MemorySink()

    class Stopped(Exception):
        pass

    def stopped_after(pieces: int) -> Callable[[], None]:
        asked = iter(range(pieces - 1))

        def interrupted() -> None:
            if next(asked, None) is None:
                raise Stopped

        return interrupted

    for pieces in (1, 3, 1):
        with state_at(tmp_path / "state") as state, logger(sink) as log:
            before = state.progress.rows
            with pytest.raises(Stopped):
                load_of(history_file, interrupted=stopped_after(pieces)).send(log, state, Told())
        with state_at(tmp_path / "state") as state:
            assert before < state.progress.rows < 5_000
    with state_at(tmp_path / "state") as state, logger(sink) as log:
        load_of(history_file).send(log, state, Told())
        assert state.progress.done
    records = sink.records("predictions")
    ids = {record["prediction_id"] for record in records}
    assert len(ids) == 5_000 < len(records) + 1
    whole = MemorySink()
    with state_at(tmp_path / "another") as state, logger(whole) as log:
        load_of(history_file).send(log, state, Told())
    assert {record["prediction_id"] for record in whole.records("predictions")} == ids


def test_an_interrupt_that_was_lost_on_its_way_ends_a_load(
    history_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for after each piece, while rows are looked at and while they are sent; what was sent is noted."""
    monkeypatch.setattr(source, "PIECE_ROWS", 1_000)

    def asked() -> None:
        raise KeyboardInterrupt

    what, checked = load_of(history_file, interrupted=asked), Told()
    with pytest.raises(KeyboardInterrupt):
        what.check(NOW, checked)
    assert checked.moves == [1_000]
    with state_at(tmp_path / "state") as state, logger(MemorySink()) as log:
        with pytest.raises(KeyboardInterrupt):
            what.send(log, state, Told())
        assert state.progress == Progress(rows=1_000)


def test_an_interrupt_after_the_last_row_finds_a_load_that_is_done(
    history_file: Path, tmp_path: Path
) -> None:
    """Nothing is left to go on with, and the state says so."""

    def asked() -> None:
        if calls.moves:
            raise KeyboardInterrupt
        calls(1)

    calls, what = Told(), load_of(history_file)
    what = replace(what, interrupted=asked)
    with state_at(tmp_path / "state") as state, logger(MemorySink()) as log:
        state.save(checked=True, total=what.check(NOW, Told()))
        with pytest.raises(KeyboardInterrupt):
            what.send(log, state, Told())
        assert state.progress == Progress(checked=True, total=5_000, rows=5_000, done=True)


def test_rows_that_kafka_loses_end_a_load_where_they_were(history_file: Path, tmp_path: Path) -> None:
    """A refusal by Kafka stops the load with a line; nothing after the last row that is known to have arrived is counted."""
    sink = MemorySink()
    sink.refuse["predictions"] = "TOPIC_AUTHORIZATION_FAILED"
    with state_at(tmp_path / "state") as state, logger(sink) as log:
        with pytest.raises(
            BrokerUnavailable, match=r"did not take 5,000 rows: the same command goes on after row 0"
        ):
            load_of(history_file).send(log, state, Told())
        assert state.progress == Progress()
    sink.refuse.clear()
    with state_at(tmp_path / "state") as state, logger(sink) as log:
        load_of(history_file).send(log, state, Told())
    assert len(sink.records("predictions")) == 5_000


def test_rows_that_nobody_counts_are_not_done(
    history_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went another way than into Kafka, such as into a spool, is not called loaded."""
    monkeypatch.setattr(source, "PIECE_ROWS", 5_000)
    sink = MemorySink()

    class Elsewhere(PredictionLogger):
        def predictions(self, table: Any, **arguments: Any) -> list[str]:
            return super().predictions(table.slice(0, 4_000), **arguments)

    with state_at(tmp_path / "state") as state:
        log = Elsewhere(model="churn", categorical=("zip",), sink=sink)
        with (
            log,
            pytest.raises(
                BrokerUnavailable, match=r"1,000 rows are not known to be in Kafka: .* after row 4,000"
            ),
        ):
            load_of(history_file).send(log, state, Told())
        assert (state.progress.rows, state.progress.done) == (4_000, False)


def test_a_log_that_says_nothing_ends_a_load(
    history_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is acknowledged for long, the load says so and goes on another time."""
    monkeypatch.setattr("hindcast.load.sent.STALL_S", 0.1)
    monkeypatch.setattr("hindcast.load.loader.STALL_S", 0.1)
    monkeypatch.setattr("hindcast.load.loader.LAST_S", 0.1)
    sink = MemorySink()
    sink.away = True
    with state_at(tmp_path / "state") as state:
        log = logger(sink)
        with pytest.raises(BrokerUnavailable, match="Kafka acknowledges nothing"):
            load_of(history_file).send(log, state, Told())
        log.close(0.1)
        assert state.progress == Progress()


def test_rows_larger_than_kafka_takes_are_counted(tmp_path: Path) -> None:
    """They are left out, as no other attempt would make them smaller, and the rest is loaded."""
    table = history(50).set_column(
        2, "plan", pa.array(["x" * (2_000_000 if place == 7 else 1) for place in range(50)])
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    sink = MemorySink()
    with state_at(tmp_path / "state") as state, logger(sink) as log:
        load_of(tmp_path / "a.parquet").send(log, state, Told())
        assert state.progress == Progress(rows=50, refused=1, done=True)
        assert state.progress.loaded == len(sink.records("predictions")) == 49


def test_what_a_contract_would_not_keep_is_refused(history_file: Path, tmp_path: Path) -> None:
    """A file older than the retention is refused with what to do, or loaded without its expired rows; without a contract all is kept."""
    days = keeper(retention_days=30)
    later = NOW - 10 * DAY + 2_500 * 1_000_000  # half of the file has just become too old
    half = Keeper(days.history, "churn", later)
    for kept, count in ((days, 5_000), (half, 2_500)):
        with pytest.raises(ConfigError) as refusal:
            load_of(history_file, kept).check(NOW, Told())
        assert str(refusal.value) == (
            f"{count:,} of 5,000 rows, the oldest of 2025-06-01, are older than what the contract of churn keeps, and would be "
            "deleted: publish a contract with more retention_days (0 keeps for ever), or leave them out with --skip-expired"
        )
    for kept in (
        keeper(),
        keeper(retention_days=0),
        keeper(retention_days=90),
        keeper(environment="test", retention_days=7),
    ):
        assert load_of(history_file, kept).check(NOW, Told()) == 5_000
    sink, what = MemorySink(), load_of(history_file, half, skip_expired=True)
    with state_at(tmp_path / "state") as state, logger(sink) as log:
        assert what.check(NOW, Told()) == 5_000
        what.send(log, state, Told())
        assert state.progress == Progress(rows=5_000, skipped=2_500, done=True)
    table = history(5_000)
    assert [record["score"] for record in sink.records("predictions")] == table["p"].to_pylist()[2_500:]


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        ({"features": {"age": {"kind": "numeric", "required": True}}}, "missing:age (5,000 rows)"),
        ({"features": {"plan": {"kind": "numeric"}}}, "kind:plan (5,000 rows)"),
        ({"features": {"tenure": {"kind": "numeric", "required": True}}}, "missing:tenure ("),
        ({"entity_id": "hash"}, "unprotected:@entity_id (5,000 rows)"),
    ],
)
def test_what_a_contract_rejects_is_refused(history_file: Path, contract: dict[str, Any], said: str) -> None:
    """Dead letters by the thousand would stop the recorder: the file is refused before a row is sent; a warning keeps it."""
    columns = {"event_time": "scored_at", "score": "p", "entity_id": "plan"}
    asked = predictions_mapping(columns=columns)
    strict = load_of(history_file, keeper(on_violation="reject", **contract), asked=asked)
    with pytest.raises(ConfigError) as refusal:
        strict.check(NOW, Told())
    assert str(refusal.value).startswith(f"the contract of churn rejects rows: {said}")
    assert load_of(history_file, keeper(**contract), asked=asked).check(NOW, Told()) == 5_000


def test_a_file_without_entities_breaks_no_promise_of_theirs(history_file: Path) -> None:
    """Nor does it fail for want of them."""
    strict = load_of(history_file, keeper(on_violation="reject", entity_id="hash"))
    assert strict.check(NOW, Told()) == 5_000


@pytest.mark.parametrize(("years", "said"), [(1, "in the future"), (-60, "before 1970")])
def test_times_that_cannot_be_are_refused(years: int, said: str, tmp_path: Path) -> None:
    """The recorder would make dead letters of them."""
    table = pa.table(
        {"scored_at": [START, START.replace(year=START.year + years)], "x": [1.0, 2.0], "p": [0.5, 0.5]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    what = load_of(tmp_path / "a.parquet", asked=predictions_mapping(features=("x",), categorical=()))
    with pytest.raises(
        ConfigError, match=rf"column scored_at \(event_time\): 1 times {said} \(in rows 1 to 2\)"
    ):
        what.check(NOW, Told())


def labels_mapping() -> LoadMapping:
    """The truths of the same table."""
    return LoadMapping(
        "label",
        "churn",
        columns={"reported_at": "scored_at", "predicted_at": "scored_at", "truth": "churned"},
    )


def test_labels_without_a_truth_are_left_out_when_told(history_file: Path, tmp_path: Path) -> None:
    """Rows whose truth is not there yet are refused, or left out; a label has its prediction's id and is the same each time."""
    with pytest.raises(ConfigError, match="rows have no truth: --skip-unlabelled"):
        load_of(history_file, asked=labels_mapping()).check(NOW, Told())
    sink, predictions = MemorySink(), MemorySink()
    for number in range(2):
        what = load_of(history_file, asked=labels_mapping(), skip_unlabelled=True)
        with state_at(tmp_path / f"state{number}") as state, logger(sink) as log:
            assert what.check(NOW, Told()) == 5_000
            what.send(log, state, Told())
            assert state.progress.done
    with state_at(tmp_path / "predictions") as state, logger(predictions) as log:
        load_of(history_file).send(log, state, Told())
    labels, truths = sink.records("labels"), history(5_000)["churned"].to_pylist()
    told = sum(truth is not None for truth in truths)
    assert len(labels) == 2 * told
    assert state.progress.skipped == 0
    assert len({label["label_id"] for label in labels}) == told
    id_of = [record["prediction_id"] for record in predictions.records("predictions")]
    expected = [
        (one, str(truth).lower()) for one, truth in zip(id_of, truths, strict=True) if truth is not None
    ]
    assert [(label["prediction_id"], label["truth"]) for label in labels[:told]] == expected


def test_the_state_survives_a_torn_line(tmp_path: Path) -> None:
    """A line that was cut short is passed over, and what is written after it counts."""
    path = tmp_path / "state"
    with state_at(path) as state:
        state.save(checked=True, total=10)
        state.save(rows=4, refused=1)
    with path.open("ab") as file:
        file.write(b'\n{"progress": {"checked": true, "rows": 9')
    with state_at(path) as state:
        assert state.progress == Progress(checked=True, total=10, rows=4, refused=1)
        state.save(rows=7)
    with state_at(path) as state:
        assert state.progress.rows == 7
        state.forget()
    with state_at(path) as state:
        assert state.progress == Progress()
    lines = [json.loads(line) for line in path.read_text().splitlines() if line and not line.endswith("9")]
    assert lines[0] == {"file": "history.parquet"}


def test_only_one_load_has_a_state(tmp_path: Path) -> None:
    """A second load of the same rows is refused while the first one runs; a place that cannot be written is named."""
    with state_at(tmp_path / "state"), pytest.raises(ConfigError, match="is being loaded already"):
        state_at(tmp_path / "state")
    with pytest.raises(
        ConfigError, match=r"nowhere/state cannot be written \(No such file or directory\): --state-dir"
    ):
        state_at(tmp_path / "nowhere" / "state")


def test_files_of_the_same_content_are_the_same(history_file: Path, tmp_path: Path) -> None:
    """The digest is of what a file holds, not of its name or time."""
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(history_file.read_bytes())
    told = Told()
    assert digest_of(copy, told) == digest_of(history_file, lambda _: None)
    assert sum(told.moves) == copy.stat().st_size
    with pytest.raises(ConfigError, match="cannot read"):
        digest_of(tmp_path, told)
