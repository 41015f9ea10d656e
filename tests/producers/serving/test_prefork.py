"""Servers that fork workers, for real: every event that a request was told of is in Kafka once, also at the end."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from served import Served, served
from waiting import eventually

from producers.codec import decode
from producers.forks import WARNING
from producers.settings import KafkaSettings
from stream_processors.kafka import Message, end_offsets, reader

ReadAll = Callable[[str], list[Message]]
BIN = Path(sys.executable).parent
GUNICORN = [
    *(str(BIN / "gunicorn"), "--bind", "127.0.0.1:{port}", "--workers", "2", "--no-control-socket"),
    "wsgi_service:application",
]
# told to end within a request, or before it has written that one to its log, uWSGI ends a worker without Python's exit handlers
# unless it is told so gracefully
UWSGI = [
    *(str(BIN / "uwsgi"), "--http-socket", "127.0.0.1:{port}", "--master", "--processes", "2"),
    *("--module", "wsgi_service:application", "--virtualenv", sys.prefix, "--need-app"),
    *("--enable-threads", "--hook-master-start", "unix_signal:15 gracefully_kill_them_all"),
]
SERVERS = {
    "gunicorn": (GUNICORN, {}),
    "gunicorn, loaded before": ([*GUNICORN, "--preload"], {}),
    "gunicorn, busy before": ([*GUNICORN, "--preload"], {"SAYS_AT_IMPORT": "1"}),
    "gunicorn with threads": ([*GUNICORN, "--preload", "--threads", "4"], {"SAYS_AT_IMPORT": "1"}),
    "gunicorn with greenlets": ([*GUNICORN, "--worker-class", "gevent"], {}),
    "gunicorn with greenlets, busy before": (
        [*GUNICORN, "--worker-class", "gevent", "--preload"],
        {"SAYS_AT_IMPORT": "1"},
    ),
    "uwsgi": (UWSGI, {}),
    "uwsgi with hooks": ([*UWSGI, "--py-call-uwsgi-fork-hooks"], {"SAYS_AT_IMPORT": "1"}),
    "uwsgi, loaded by each": ([*UWSGI, "--lazy-apps", "--threads", "4"], {"SAYS_AT_IMPORT": "1"}),
}


def records(messages: list[Message]) -> list[dict[str, Any]]:
    """The decoded values."""
    return [decode(message.value())[1] for message in messages]


def both_workers(server: Served) -> list[Any]:
    """Answers of traffic that reached both workers."""
    answers = server.traffic(40, "/?n=5")

    def seen() -> bool:
        answers.extend(server.traffic(10, "/?n=5"))
        return len({answer["pid"] for answer in answers}) == 2

    eventually(seen, within=60, saying="both workers answer")
    return answers


@pytest.mark.parametrize("name", SERVERS)
def test_every_event_of_every_worker_arrives_once(
    settings: KafkaSettings, read_all: ReadAll, tmp_path: Path, name: str
) -> None:
    """Two workers answer, the server is told to end at once, and what was said is in Kafka once, by one producer a worker, with a last ledger each."""
    command, environment = SERVERS[name]
    with served(command, settings, tmp_path, environment) as server:
        answers = both_workers(server)
        server.end()
        said = server.said()
    assert "Traceback" not in said, said
    assert all(answer["began_anew"] == (answer["pid"] != answer["loaded_by"]) for answer in answers)
    found = records(read_all("predictions"))
    told = {prediction_id: str(answer["pid"]) for answer in answers for prediction_id in answer["ids"]}
    assert Counter(event["prediction_id"] for event in found) == Counter(dict.fromkeys(told, 1)), said
    assert {event["prediction_id"]: event["entity_id"] for event in found} == told
    # the random part: workers that go on with their parent's numbers differ in the time only, at best
    assert len({prediction_id[-17:] for prediction_id in told}) == len(told)
    producers = {(event["entity_id"], event["producer_id"]) for event in found}
    assert (
        len(producers) == len({worker for worker, _ in producers}) == len({one for _, one in producers}) == 2
    )
    ledgers = records(read_all("ledger"))
    closed = {row["producer_id"]: row for row in ledgers if row["closing"] and row["stream"] == "predictions"}
    assert {one: row["delivered"] for one, row in closed.items()} == Counter(
        event["producer_id"] for event in found
    )
    assert all(row["accepted"] == row["delivered"] for row in closed.values())
    at_import = 0 if not environment else 2 if "--lazy-apps" in command else 1
    assert len(read_all("deployments")) == at_import


def test_a_worker_that_is_replaced_loses_nothing(
    settings: KafkaSettings, read_all: ReadAll, tmp_path: Path
) -> None:
    """A reload ends the workers under traffic and starts others: what was answered is in Kafka once."""
    with served(GUNICORN, settings, tmp_path) as server:
        answers = both_workers(server)
        before = {answer["pid"] for answer in answers}
        server.process.send_signal(signal.SIGHUP)

        def replaced() -> bool:
            more = server.traffic(10, "/?n=5")
            answers.extend(more)
            return not {answer["pid"] for answer in more} & before

        eventually(replaced, within=60, saying="other workers answer")
        server.end()
        said = server.said()
    told = [prediction_id for answer in answers for prediction_id in answer["ids"]]
    found = records(read_all("predictions"))
    assert sorted(event["prediction_id"] for event in found) == sorted(told), said


def test_uwsgi_without_hooks_is_warned_of(settings: KafkaSettings, tmp_path: Path) -> None:
    """A service that says something before uWSGI forks has a thread there, which may hang its workers: the log says what to do."""
    with served(UWSGI, settings, tmp_path, {"SAYS_AT_IMPORT": "1"}, answering=False) as server:
        eventually(lambda: WARNING in server.said(), within=60, saying="the warning")
    hooked = [*UWSGI, "--py-call-uwsgi-fork-hooks"]
    with served(hooked, settings, tmp_path, {"SAYS_AT_IMPORT": "1"}) as server:
        assert "pid" in server.get("/?n=1")
        assert WARNING not in server.said()


def test_the_first_worker_of_a_uwsgi_without_master_is_no_child(
    settings: KafkaSettings, read_all: ReadAll, tmp_path: Path
) -> None:
    """There the process that loaded the service serves too: it goes on, and only the other one begins anew."""
    alone = [word for word in UWSGI if word != "--master"]
    with served(alone, settings, tmp_path) as server:
        answers = both_workers(server)
        assert {answer["began_anew"] for answer in answers} == {False, True}
        assert all(answer["began_anew"] == (answer["pid"] != answer["loaded_by"]) for answer in answers)
        told = sorted(prediction_id for answer in answers for prediction_id in answer["ids"])
        client, topic = reader(settings), settings.topic("predictions")
        eventually(lambda: sum(end_offsets(client, topic, range(4)).values()) >= len(told), saying="delivery")
        client.close()
    assert sorted(event["prediction_id"] for event in records(read_all("predictions"))) == told
