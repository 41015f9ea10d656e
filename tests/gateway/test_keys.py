"""Who may send: keys of which only hashes are kept, each for some models, taken and refused while the gateway runs."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from running_gateway import GOOD, JSON, RunningGateway, running_gateway
from waiting import eventually

from hindcast.__main__ import run
from producers.errors import ConfigError
from producers.gateway.keys import EVERY_MODEL, KeyRing, add_key, read_keys, remove_key
from producers.gateway.settings import GatewaySettings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OTHER = {**GOOD, "model": "fraud"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A key file with one key for every model."""
    path = tmp_path / "keys.json"
    add_key(path, "owner", (EVERY_MODEL,), NOW)
    return path


@pytest.fixture
def guarded(file: Path) -> Iterator[RunningGateway]:
    """A gateway that wants a key."""
    with running_gateway(GatewaySettings(keys=file)) as running:
        yield running


def bearer(key: str) -> dict[str, str]:
    """The headers of a request with a key."""
    return {**JSON, "Authorization": f"Bearer {key}"}


def test_without_a_key_nothing_is_taken(guarded: RunningGateway) -> None:
    """Nor with a wrong one, or one in another form; what is said does not depend on what is wrong with it."""
    for headers in (JSON, {**JSON, "Authorization": "Basic aDpo"}, {**JSON, "Authorization": "Bearer"}):
        reply = guarded.send("predictions", GOOD, headers)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert reply.content == {"error": "an API key is wanted, as `Authorization: Bearer KEY`"}
    for wrong in ("hgk_x", "*", "\xe9\xff", "x" * 10_000):
        reply = guarded.send("predictions", GOOD, bearer(wrong))
        assert (reply.status, reply.content) == (401, {"error": "this API key is not known"})
    assert guarded.sink.messages == []


def test_what_people_and_probes_look_at_wants_no_key(guarded: RunningGateway) -> None:
    """Health, metrics and the description."""
    for path in ("/", "/healthz", "/metrics", "/openapi.json", "/readyz"):
        assert guarded.ask("GET", path).status == 200


def test_a_key_speaks_for_its_models(guarded: RunningGateway, file: Path) -> None:
    """An item of another model is refused at its place; a request of none of its models, whole."""
    key = add_key(file, "shop", ("churn", "ltv"), NOW)
    eventually(lambda: guarded.send("predictions", GOOD, bearer(key)).status == 202, saying="it is taken")
    reply = guarded.send("predictions", [GOOD, OTHER], bearer(key))
    assert reply.status == 202
    forbidden = {"index": 1, "field": "model", "reason": "this key may not speak for this model"}
    assert reply.content["errors"] == [forbidden]
    reply = guarded.send("predictions", OTHER, bearer(key))
    assert (reply.status, reply.content["errors"]) == (403, [{**forbidden, "index": 0}])
    assert guarded.channel.flush(90) == 0
    assert {record["model"] for record in guarded.sink.records("predictions")} == {"churn"}


def test_a_key_is_taken_and_refused_while_the_gateway_runs(guarded: RunningGateway, file: Path) -> None:
    """Within moments of `keys add` and `keys remove`."""
    key = add_key(file, "late", (EVERY_MODEL,), NOW)
    eventually(lambda: guarded.send("predictions", OTHER, bearer(key)).status == 202, saying="it is taken")
    remove_key(file, "late")
    eventually(lambda: guarded.send("predictions", OTHER, bearer(key)).status == 401, saying="it is refused")


def test_a_key_file_that_suffers_changes_nothing(file: Path) -> None:
    """The keys read before stay in force, and it is said; a good file counts again."""
    said: list[str] = []
    ring = KeyRing(file, lambda: 0.0, said.append, every=0.0)
    key = add_key(file, "more", ("churn",), NOW)
    assert ring.find(key)
    good = file.read_bytes()
    file.write_text("{nonsense")
    assert ring.find(key)
    assert "is no file of keys" in said[0]
    assert said[0].endswith("the keys read before stay in force")
    file.write_bytes(good.replace(b'"more"', b'"less"'))
    found = ring.find(key)
    assert found is not None
    assert found.name == "less"
    file.unlink()
    assert ring.find(key)
    assert "No such file" in said[1]


def test_the_file_is_looked_at_now_and_then_only(file: Path) -> None:
    """Not at every request."""
    time = [0.0]
    ring = KeyRing(file, lambda: time[0], lambda _text: None, every=1.0)
    key = add_key(file, "more", ("churn",), NOW)
    assert ring.find(key) is None
    time[0] = 1.0
    assert ring.find(key)


def test_the_file_holds_no_key(file: Path) -> None:
    """Only a hash, and only its owner reads it."""
    key = add_key(file, "shop", ("churn",), NOW)
    text = file.read_text()
    assert key not in text
    assert key.removeprefix("hgk_") not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in read_keys(file)] == ["owner", "shop"]


def test_keys_made_at_once_are_all_kept(tmp_path: Path) -> None:
    """Two people at two terminals."""
    path = tmp_path / "keys.json"
    threads = [
        threading.Thread(target=add_key, args=(path, f"k{number}", ("m",), NOW)) for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in read_keys(path)} == {f"k{number}" for number in range(20)}


def test_a_key_file_that_cannot_be_used_is_named(file: Path, tmp_path: Path) -> None:
    """Missing, of something else, not writable, or with the name taken."""
    with pytest.raises(ConfigError, match=r"nowhere\.json cannot be read: No such file"):
        read_keys(tmp_path / "nowhere.json")
    with pytest.raises(ConfigError, match="there is a key 'owner' already"):
        add_key(file, "owner", ("m",), NOW)
    with pytest.raises(ConfigError, match="there is no key 'nobody'"):
        remove_key(file, "nobody")
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        add_key(tmp_path / "no" / "where.json", "k", ("m",), NOW)
    (tmp_path / "other.json").write_text('{"keys": [{"name": "x"}]}')
    with pytest.raises(ConfigError, match=r"other\.json is no file of keys: Object missing"):
        read_keys(tmp_path / "other.json")


def told(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    code = run(line.split())
    said = capsys.readouterr()
    return code, said.out, said.err


def test_keys_are_kept_at_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Add prints the key, list shows whose there are, remove takes one away."""
    file = tmp_path / "keys.json"
    code, key, _ = told(capsys, f"gateway keys add shop --model churn --model ltv --keys {file}")
    assert (code, key[:4]) == (0, "hgk_")
    assert told(capsys, f"gateway keys add owner --every-model --keys {file}")[0] == 0
    code, listed, _ = told(capsys, f"gateway keys list --keys {file}")
    assert [line.partition(", since")[0] for line in listed.splitlines()] == [
        "shop: churn, ltv",
        "owner: every model",
    ]
    assert key.strip() not in listed
    assert told(capsys, f"gateway keys remove shop --keys {file}")[:2] == (0, "shop may not send any more\n")
    assert told(capsys, f"gateway keys remove owner --keys {file}")[0] == 0
    assert told(capsys, f"gateway keys list --keys {file}")[1] == "no keys\n"
    assert json.loads(file.read_text()) == {"keys": []}


@pytest.mark.parametrize(
    ("line", "code", "why"),
    [
        ("gateway keys list", 2, "no key file is named: --keys FILE, or HINDCAST_GATEWAY_KEYS"),
        (
            "gateway keys list --keys nowhere.json",
            2,
            "the key file nowhere.json cannot be read: No such file",
        ),
        ("gateway keys add shop --keys k.json", 2, "say --model, once for each, or --every-model"),
        ("gateway keys add shop --model m --every-model --keys k.json", 2, "say --model, once for each, or"),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    code: int,
    why: str,
) -> None:
    """That says what to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HINDCAST_GATEWAY_KEYS", raising=False)
    found, _, said = told(capsys, line)
    assert found == code
    assert said.startswith(f"hindcast: {why}")
    assert said.count("\n") == 1
