"""`LocalStack`: Kafka, ClickHouse and the four processors on this machine, supervised, in one directory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hindcast.local.clickhouse import pings
from hindcast.local.directories import disk_full, explain, full_path, prepare_directory, refuse_unusable_name
from hindcast.local.end_request import asking_to_end, forget_request, refuse_if_asked_to_end
from hindcast.local.kafka import answers
from hindcast.local.layout import DEFAULT_DIRECTORY, Layout, Record, mark, read_record, told
from hindcast.local.only_starter import is_starting, only_starter
from hindcast.local.program import last_words
from hindcast.local.startup import (
    ROLES,
    START_S,
    StackOptions,
    refuse_few_open_files,
    start_servers,
    start_supervisor,
    variables_of,
    write_settings,
)
from hindcast.local.status import health, process_status, read_heartbeats
from hindcast.local.supervisor import History, ProcessState, Supervisor, histories, is_held
from producers.errors import ConfigError, HindcastError, TransientError

SERVERS = ("kafka", "clickhouse")
NEEDED_MIB = 512
# with less the ClickHouse engine begins nothing (`engine.xml`)
_WORKING_MIB = 256
_SHUTDOWN_S = 60.0
# A program may stumble once over a server that is just getting up.
_START_ATTEMPTS = 2
_POLL_S = 0.1


class LocalStack:
    """The stack of one directory: start it, look at it, kill parts of it, stop it.

    Any process may hold a `LocalStack` of a directory: what runs is found through the directory.
    """

    def __init__(
        self, directory: Path = DEFAULT_DIRECTORY, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.layout = Layout(full_path(directory))
        self._environment = dict(os.environ if environment is None else environment)
        self._child: subprocess.Popen[bytes] | None = None

    def up(
        self,
        options: StackOptions | None = None,
        *,
        detach: bool = False,
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Start everything and return when it is healthy; nothing is left running when it is not.

        Unless detached, everything ends at the latest with the calling process. `said` hears each step.

        Raises:
            ConfigError: it cannot start; one line that says why.
            HindcastError: `down` has ended the start.
        """
        options = options or StackOptions()
        refuse_unusable_name(self.layout.directory)
        refuse_few_open_files()
        self._refuse_if_running()
        prepare_directory(self.layout.directory, free_mib=NEEDED_MIB)
        with only_starter(self.layout.directory):
            self._refuse_if_running()
            forget_request(self.layout)
            try:
                self._up(options, detach=detach, said=said)
            except HindcastError:
                # whatever it was that failed when everything was taken away
                refuse_if_asked_to_end(self.layout)
                raise

    def _up(self, options: StackOptions, *, detach: bool, said: Callable[[str], None]) -> None:
        mark(self.layout)
        for part in (self.layout.status, self.layout.work, self.layout.log("x").parent):
            prepare_directory(part)
        for beat in self.layout.status.glob("*.json"):
            beat.unlink(missing_ok=True)
        said("preparing Kafka and ClickHouse")
        record = write_settings(self.layout, self._environment, options)
        refuse_if_asked_to_end(self.layout)
        self._child, supervisor = start_supervisor(self.layout, self._environment, record, detach=detach)
        try:
            start_servers(self.layout, supervisor, record, said)
            said("creating topics and tables")
            options.lay_road(variables_of(self.layout, record, options))
            for role in options.processors:
                said(f"starting {role}")
                supervisor.start(role)
            self._wait_until_started()
        except BaseException:
            self._stop_whatever_comes()
            raise

    def clear(self) -> None:
        """Remove everything that an earlier stack left in the directory; nothing happens where nothing is.

        Raises:
            ConfigError: a stack runs or starts there, it is no stack's directory, or it may not be read and written.
        """
        directory = self.layout.directory
        try:
            directory.stat()
            self._clear(directory)
        except FileNotFoundError:
            return
        except OSError as problem:
            raise ConfigError(explain(directory, problem)) from None

    def _clear(self, directory: Path) -> None:
        with only_starter(directory):
            self._refuse_if_running()
            entries = list(directory.iterdir())
            if entries and self.layout.lock not in entries:
                raise ConfigError(f"{directory} is not an earlier stack's: name another place")
            # the mark last: a clearing that was interrupted can be done again
            for entry in sorted(entries, key=lambda entry: entry == self.layout.lock):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()

    def down(self) -> bool:
        """Stop everything, processors first, and end a start that is under way; returns whether there was anything. The data stay.

        Raises:
            TransientError: another process that starts the stack has not noticed for a minute.
        """
        starting = is_starting(self.layout)
        if not starting and not self.running():
            return False
        with asking_to_end(self.layout) if starting else nullcontext():
            self._stop()
            limit = time.monotonic() + _SHUTDOWN_S
            while is_starting(self.layout):
                if time.monotonic() > limit:
                    raise TransientError(f"the start in {self.layout.directory} has not ended yet: try again")
                time.sleep(_POLL_S)
                self._stop()
        return True

    def _stop_whatever_comes(self) -> None:
        """As `_stop`, to its end: a second Ctrl-C must not leave half of it running."""
        stopped = False
        while not stopped:
            with suppress(KeyboardInterrupt):
                self._stop()
                stopped = True

    def _stop(self) -> None:
        """Stop everything that the supervisor has started, and the supervisor; nothing where none lives."""
        limit, told_to_end = time.monotonic() + _SHUTDOWN_S, False
        while self.running():
            if not told_to_end:
                told_to_end = self._shut_down()
            if time.monotonic() > limit:
                # Its programs are on a leash and end with it.
                os.kill(self._supervisor_pid(), signal.SIGKILL)
                limit = float("inf")
            time.sleep(_POLL_S)
        if self._child is not None:
            self._child.wait()

    def _shut_down(self) -> bool:
        """Whether the supervisor has been told to end: one that has just begun takes no orders yet."""
        try:
            record = read_record(self.layout)
        except ConfigError:
            record = None
        with suppress(TransientError, ProcessLookupError):
            if record is None:
                # a signal it takes without a password too
                os.kill(self._supervisor_pid(), signal.SIGTERM)
            else:
                self._supervisor(record).shutdown()
            return True
        return False

    def running(self) -> bool:
        """Whether a supervisor of this directory lives."""
        return is_held(self.layout.lock)

    def environment(self) -> dict[str, str]:
        """The `HINDCAST_*` variables with which clients find this stack.

        Raises:
            ConfigError: nothing was ever started in this directory.
        """
        return self._record().environment(self.layout)

    def status(self) -> dict[str, Any]:
        """Everything `hindcast status` shows, ready for JSON: addresses, and per process what it does.

        Raises:
            ConfigError: the directory may not be read.
        """
        answer: dict[str, Any] = {"directory": str(self.layout.directory), "running": False, "processes": []}
        if not self.running():
            return answer
        try:
            record = self._record()
            processes = self._supervisor(record).processes()
        except (ConfigError, TransientError) as problem:
            return answer | {"running": True, "problem": str(problem)}
        past, beats, now = self._histories(), read_heartbeats(self.layout.status), datetime.now(UTC)
        lines = [
            process_status(process, past.get(name, History()), beats.get(name), self.layout.log(name), now)
            for name, process in sorted(processes.items(), key=lambda item: _rank(item[0]))
        ]
        return answer | {
            "running": True,
            "kafka": record.kafka,
            "clickhouse": record.clickhouse,
            "topic_prefix": record.topic_prefix,
            "database": record.database,
            "disk_full": disk_full(self._data(), free_mib=_WORKING_MIB),
            "processes": lines,
        }

    def _data(self) -> list[Path]:
        """Where data grow: two of them may be disks of their own."""
        return [self.layout.directory, *(self.layout.directory / name for name in SERVERS)]

    def pid(self, name: str) -> int:
        """Process id of a part that runs (kafka, clickhouse, profiler, …), the program itself.

        Raises:
            ConfigError: no such part, or it does not run at this moment.
        """
        process = self._processes().get(name)
        if process is None or not process.pid:
            raise ConfigError(f"{name} does not run in {self.layout.directory}")
        return process.pid

    def kill(self, name: str) -> int:
        """End a part with SIGKILL, as a crash would; the supervisor starts it again. Returns the pid it had."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_until_healthy(self, *, within: float = START_S) -> None:
        """Return when both servers answer, every process runs, and every processor has a fresh heartbeat.

        Raises:
            ConfigError: not within that many seconds, or the supervisor is gone; says what is missing.
        """
        limit = time.monotonic() + within
        while problem := self._problem():
            if time.monotonic() > limit:
                raise ConfigError(f"not healthy after {within:.0f} s: {problem}")
            time.sleep(_POLL_S)

    def _wait_until_started(self) -> None:
        """As `wait_until_healthy`, but a process that keeps ending at its start is not waited for."""
        limit = time.monotonic() + START_S
        while problem := self._problem():
            for line in self.status()["processes"]:
                if line["restarts"] >= _START_ATTEMPTS:
                    why = last_words(Path(line["log"]))
                    raise ConfigError(f"{line['name']} stopped at its start ({line['last_exit']}): {why}")
            if time.monotonic() > limit:
                raise ConfigError(f"not healthy after {START_S:.0f} s: {problem}")
            time.sleep(_POLL_S)

    def _problem(self) -> str:
        record = self._record()
        if not self.running():
            raise ConfigError(f"nothing runs in {self.layout.directory}")
        if not answers(record.kafka):
            return f"kafka does not answer: {last_words(self.layout.log('kafka'))}"
        if not pings(record.clickhouse):
            return f"clickhouse does not answer: {last_words(self.layout.log('clickhouse'))}"
        for line in self.status()["processes"]:
            problem = health(line, beats=line["name"] in ROLES)
            if problem:
                return f"{problem}: {last_words(Path(line['log']))}"
        return ""

    def _refuse_if_running(self) -> None:
        if self.running():
            raise ConfigError(
                f"a stack already runs in {self.layout.directory}: stop it with `{told('down', self.layout.directory)}`"
            )

    def _processes(self) -> dict[str, ProcessState]:
        return self._supervisor(self._record()).processes()

    def _record(self) -> Record:
        record = read_record(self.layout)
        if record is None and self.running():
            raise ConfigError(
                f"a stack runs, but {self.layout.record} is gone: stop it with `{told('down', self.layout.directory)}`"
            )
        if record is None:
            raise ConfigError(
                f"no stack was started in {self.layout.directory}: start one with `{told('up', self.layout.directory)}`"
            )
        return record

    def _supervisor(self, record: Record) -> Supervisor:
        return Supervisor(record.control_port, record.control_password)

    def _supervisor_pid(self) -> int:
        try:
            return int(self.layout.supervisor_pid.read_text())
        except (OSError, ValueError):
            raise TransientError(
                f"the supervisor of {self.layout.directory} does not end: try again"
            ) from None

    def _histories(self) -> dict[str, History]:
        try:
            return histories(self.layout.supervisor_log.read_text(errors="replace"))
        except OSError:
            return {}


def _rank(name: str) -> tuple[int, str]:
    order = (*SERVERS, *ROLES)
    return (order.index(name) if name in order else len(order), name)
