"""`hindcast contract` from a file of training data to a contract in effect."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_command import run

from producers.settings import KafkaSettings
from producers.topics import topics
from stream_processors.contracts.baseline_file import read_baseline
from stream_processors.kafka import create_topics


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Training data of two days."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.table(
        {
            "at": [start + timedelta(hours=n % 48) for n in range(500)],
            "amount": [float(n) for n in range(500)],
            "city": [f"c{n % 3}" for n in range(500)],
        }
    )
    pq.write_table(table, tmp_path / "data.parquet")
    return tmp_path / "data.parquet"


def inferred(data: Path) -> Path:
    """A contract file made from the data."""
    output = data.with_name("shop.yaml")
    roles = ("--time-column", "at", "--slice-by", "city", "--base-window", "1d")
    done = run("infer", data, "--model", "shop", *roles, "--output", output)
    assert done.exit_code == 0, done.output
    return output


def test_infer_edit_baseline_check(data: Path) -> None:
    """An edited shape makes the baseline stale, which `check` says and `baseline` mends."""
    output = inferred(data)
    assert len(read_baseline(data.with_name("shop.baseline.avro"))) == 2 * 4
    assert run("check", output).exit_code == 0
    output.write_text(output.read_text().replace("base: 1d", "base: 1h"))
    stale = run("check", output)
    assert stale.exit_code == 2
    assert "hindcast contract baseline" in stale.output
    assert run("baseline", output, data, "--time-column", "at").exit_code == 0
    assert run("check", output).exit_code == 0


def test_infer_says_where_windows_are_thin(data: Path) -> None:
    """250 rows a day are few for each minute or hour of it; nothing is said of days, and of rows without times."""
    told = {}
    for base in ("1min", "1h", "1d"):
        roles = ("--time-column", "at", "--base-window", base)
        done = run(
            "infer", data, "--model", "shop", *roles, "--output", data.with_name("thin.yaml"), "--force"
        )
        told[base] = [line for line in done.output.splitlines() if "of these rows" in line]
    assert [line.split(":")[0] for line in told["1min"]] == [
        "a window of 1min has 0.17 of these rows on average"
    ]
    assert "--base-window 1d" in told["1h"][0]
    assert not told["1d"]
    timeless = run("infer", data, "--model", "shop", "--output", data.with_name("thin.yaml"), "--force")
    assert "of these rows" not in timeless.output


def test_infer_replaces_nothing_unasked(data: Path) -> None:
    """A contract that is there, edited perhaps, is not replaced without --force."""
    output = inferred(data)
    output.write_text("mine")
    refused = run("infer", data, "--model", "shop", "--output", output)
    assert (refused.exit_code, output.read_text()) == (2, "mine")
    assert run("infer", data, "--model", "shop", "--output", output, "--force").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check", "nowhere.yaml"), "cannot read nowhere.yaml"),
        (
            ("infer", "nowhere.parquet", "--model", "m", "--output", "/tmp/never.yaml"),
            "cannot read nowhere.parquet: No such file or directory",
        ),
        (("infer", __file__, "--model", "m", "--output", "/tmp/never.yaml"), "a file ending in"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], says: str) -> None:
    """What people get wrong is one line without a traceback."""
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_publish_and_show(data: Path, contracts_topic: dict[str, str]) -> None:
    """What is published is shown as in effect, with the baseline's digest in it, and stands in the history."""
    none = run("show", "shop", **contracts_topic)
    assert (none.exit_code, "has no contract in effect" in none.output) == (2, True)
    empty = run("history", "shop\x1b[1m", **contracts_topic)
    assert (empty.exit_code, empty.output) == (0, "no contract of model shop\\x1b[1m is published\n")
    assert run("history", **contracts_topic).output == "no contract is published\n"
    done = run("publish", inferred(data), "--reason", "first", **contracts_topic)
    assert (done.exit_code, "in effect" in done.output) == (0, True), done.output
    shown = json.loads(run("show", "shop", "--json", **contracts_topic).output)
    assert len(shown["references"]["training"]) == 64
    (row,) = json.loads(run("history", "--json", **contracts_topic).output)
    assert (row["model"], row["environment"]) == ("shop", None)
    told = run("history", **contracts_topic, COLUMNS="80").output
    assert all(word in told for word in ("shop", "(every)", row["digest"][:12], row["in_effect_from"][:10]))
    assert "…" not in told


def test_a_reference_that_is_not_there_is_refused(data: Path, contracts_topic: dict[str, str]) -> None:
    """Verdicts would wait for it for ever; one that is published already may be named without its baseline."""
    file = data.with_name("elsewhere.yaml")
    file.write_text(f"model: shop\nreferences: {{training: {'0' * 64}}}\n")
    refused = run("publish", file, **contracts_topic)
    assert refused.exit_code == 2
    assert "names the reference 000000000000, which is neither beside it nor published" in refused.output
    assert json.loads(run("history", "--json", **contracts_topic).output) == []
    assert run("publish", inferred(data), **contracts_topic).exit_code == 0
    file.write_text(run("show", "shop", **contracts_topic).output + "owner: me\n")
    assert run("publish", file, **contracts_topic).exit_code == 0
    assert json.loads(run("show", "shop", "--json", **contracts_topic).output)["owner"] == "me"


def test_a_damaged_baseline_is_told_as_that(data: Path) -> None:
    """With what to do about it, and no word of the library's."""
    output = inferred(data)
    path = data.with_name("shop.baseline.avro")
    whole = path.read_bytes()
    for damaged in (b"", b"model: shop", whole[: len(whole) // 2], whole[:-20] + b"\0" * 20):
        path.write_bytes(damaged)
        refused = run("check", output)
        assert refused.exit_code == 2
        assert refused.output == (
            f"{path} is damaged, or no baseline: make it again with `hindcast contract baseline`"
        )


def test_a_time_that_no_contract_can_have_publishes_nothing(
    data: Path, kafka: str, topic_prefix: str
) -> None:
    """It is refused before anything is sent: what stands on the topic stands there for ever."""
    create_topics(KafkaSettings(kafka, topic_prefix), [topics()["contracts"]])
    environment = {"HINDCAST_KAFKA": kafka, "HINDCAST_TOPIC_PREFIX": topic_prefix}
    refused = run("publish", inferred(data), "--effective-from", "9999-12-31", **environment)
    assert (refused.exit_code, refused.output) == (1, "effective_from: outside the years 1900 to 2299")
    assert json.loads(run("history", "--json", **environment).output) == []


def test_what_no_message_holds_is_refused_in_one_line(
    data: Path, tmp_path: Path, kafka: str, topic_prefix: str
) -> None:
    """A contract that is too large is a mistake of its file; a reason that is too long is told when it is sent."""
    create_topics(KafkaSettings(kafka, topic_prefix), [topics()["contracts"]])
    environment = {"HINDCAST_KAFKA": kafka, "HINDCAST_TOPIC_PREFIX": topic_prefix}
    listed = json.dumps([f"{number:040}" for number in range(1000)])
    features = "".join(f"  f{number}: {{kind: categorical, values: {listed}}}\n" for number in range(30))
    large = tmp_path / "large.yaml"
    large.write_text(f"model: shop\nfeatures:\n{features}")
    for command in ("check", "publish"):
        refused = run(command, large, **environment)
        assert (refused.exit_code, len(refused.output.splitlines())) == (2, 1)
        assert "at most go into a message" in refused.output
    refused = run("publish", inferred(data), "--reason", "why " * 400_000, **environment)
    assert refused.exit_code == 2
    assert "Message size too large" in refused.output
    assert len(refused.output.splitlines()) == 1
    assert json.loads(run("history", "--json", **environment).output) == []


@pytest.mark.parametrize("command", ["publish", "show", "history"])
def test_a_broker_that_is_away_is_named(data: Path, command: str) -> None:
    """With its address and what to look at, not in the client's words for a message that grew old."""
    argument = inferred(data) if command == "publish" else "shop"
    away = run(command, argument, HINDCAST_KAFKA="127.0.0.1:1", HINDCAST_TOPIC_PREFIX="nowhere")
    assert away.exit_code == 3
    assert away.output == (
        "no Kafka answers at 127.0.0.1:1 (Connect to ipv4#127.0.0.1:1 failed: Connection refused): "
        "is it running, and is HINDCAST_KAFKA its address?"
    )


@pytest.mark.parametrize("command", ["publish", "show"])
def test_a_broker_without_our_topics_is_told_from_one_that_is_away(
    data: Path, kafka: str, topic_prefix: str, command: str
) -> None:
    """What to type is said at once."""
    argument = inferred(data) if command == "publish" else "shop"
    bare = run(command, argument, HINDCAST_KAFKA=kafka, HINDCAST_TOPIC_PREFIX=topic_prefix)
    assert bare.exit_code == 3
    assert bare.output == f"topic {topic_prefix}.contracts does not exist (yet): `hindcast topics` creates it"
