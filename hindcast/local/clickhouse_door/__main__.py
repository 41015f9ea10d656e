"""`python -m hindcast.local.clickhouse_door --directory D --port P`: serve one chDB directory until told to stop."""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import shutil
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import IO

import uvicorn

from hindcast.local.clickhouse_door.access import ANALYST_LIMITS, User, Users
from hindcast.local.clickhouse_door.app import Door
from hindcast.local.clickhouse_door.engine import Engine
from hindcast.local.clickhouse_door.unwritten_parts import UnwrittenParts
from hindcast.local.directories import prepare_directory, refuse_unusable_name
from hindcast.local.ports import LOOPBACK, require_free
from producers.errors import ConfigError

_DRAIN_S = 5
_CANCEL_EVERY_S = 1.0
_LOOK_EVERY_S = 1.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hindcast.local.clickhouse_door", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="owned by this process alone")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="default")
    parser.add_argument("--password", default=os.environ.get("HINDCAST_DOOR_PASSWORD", ""))
    parser.add_argument("--analyst", default="analyst", help="name of the user who only reads")
    parser.add_argument("--analyst-password", default=os.environ.get("HINDCAST_DOOR_ANALYST_PASSWORD", ""))
    parser.add_argument("--threads", type=int, default=16, help="queries that run at once")
    return parser.parse_args()


class _Server(uvicorn.Server):
    """Uvicorn that cancels running queries when it is asked to end: waiting for them is not a clean stop."""

    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self._engine = engine
        self.ended = threading.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's own handler: that sends the signal again at the end, before the engine is closed.
        if not self.should_exit:
            self.should_exit = True
            threading.Thread(target=self._cancel_until_ended, daemon=True).start()

    def _cancel_until_ended(self) -> None:
        while not self.ended.wait(_CANCEL_EVERY_S):
            self._engine.cancel_everything()


def serve(options: argparse.Namespace) -> None:
    """Open the directory, serve it, and close it.

    Raises:
        ConfigError: port in use, directory unusable or owned by another process.
    """
    port = require_free(options.port, wanted_by="the ClickHouse door")
    refuse_unusable_name(options.directory)
    directory = prepare_directory(options.directory)
    held = _own(directory)
    # Bodies of inserts that a killed predecessor left behind.
    shutil.rmtree(directory / "incoming", ignore_errors=True)
    incoming = prepare_directory(directory / "incoming")
    engine = Engine(prepare_directory(directory / "data"))
    users = Users(
        (
            User(options.user, options.password),
            User(options.analyst, options.analyst_password, ANALYST_LIMITS),
        )
    )
    door = Door(engine, users, incoming, threads=options.threads)
    config = uvicorn.Config(
        door.app,
        host=LOOPBACK,
        port=port,
        # not whatever is installed: what it answers to odd requests was tried with these
        http="httptools",
        loop="asyncio",
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_S,
        lifespan="off",
    )
    server = _Server(config, engine)
    parts = UnwrittenParts(directory / "data")
    threading.Thread(target=_end_over, args=(parts, server.ended), daemon=True).start()
    # a streamed answer that fails is left without its end on purpose
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: "without completing response" not in record.getMessage()
    )
    server.run()
    server.ended.set()
    engine.close()
    held.close()


def _end_over(parts: UnwrittenParts, ended: threading.Event) -> None:
    """End at once, as a crash would, where a part could not be written; queries that run learn nothing that is so."""
    while not ended.wait(_LOOK_EVERY_S):
        if problem := parts.look():
            sys.stderr.write(f"error: {problem}\n")
            sys.stderr.flush()
            os._exit(1)


def _own(directory: Path) -> IO[str]:
    """The directory's lock, for as long as the file is open; the engine's own lock says it in many lines."""
    held = (directory / "door.lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise ConfigError(
            f"another process already serves {directory}: stop it or name another directory"
        ) from None
    return held


def main() -> int:
    """Serve; an error that a person can mend is one line and exit code 1."""
    try:
        serve(_arguments())
    except ConfigError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    sys.stdout.flush()
    # Threads of the engine would be joined for nothing: every answer is out and the directory is closed.
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
