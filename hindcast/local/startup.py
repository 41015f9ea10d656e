"""Starting a local stack, step by step: settings files, the supervisor, the two servers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hindcast.local.clickhouse import pings, prepare_clickhouse
from hindcast.local.directories import CHECKOUT, explain
from hindcast.local.kafka import answers, prepare_kafka
from hindcast.local.layout import Layout, Record, new_password, read_record, told, write_record
from hindcast.local.leash import leashed
from hindcast.local.ports import free_port
from hindcast.local.program import Program, last_words
from hindcast.local.road import lay_road
from hindcast.local.supervise import ALREADY_RUNNING
from hindcast.local.supervisor import Supervisor
from hindcast.local.supervisor_settings import Watched, render_supervisor_settings
from producers.errors import ConfigError
from stream_processors.settings import ProcessorSettings

ROLES = ("profiler", "recorder", "joiner", "monitor")
START_S = 120.0
# what supervisord asks for
_OPEN_FILES = 1024
_CONTROL_S = 20.0
_POLL_S = 0.1
_FAILED_STATES = frozenset({"backoff", "fatal", "exited", "unknown"})


def processor_programs() -> dict[str, tuple[str, ...]]:
    """The command line of each processor, by role."""
    return {role: (sys.executable, "-m", f"stream_processors.{role}") for role in ROLES}


@dataclass(frozen=True)
class StackOptions:
    """How a stack is started.

    Ports that are None are those of last time, else free ones. `settings` are further `HINDCAST_*` variables for the
    processors. `processors` and `lay_road` exist so that a stack of other programs can be supervised the same way.
    """

    kafka_port: int | None = None
    clickhouse_port: int | None = None
    topic_prefix: str = "hindcast"
    database: str = "hindcast"
    bundled_java: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    processors: Mapping[str, tuple[str, ...]] = field(default_factory=processor_programs)
    lay_road: Callable[[Mapping[str, str]], None] = lay_road


def refuse_few_open_files() -> None:
    """Return when the processes of a stack may open as many files as they need; a low soft limit is raised by them.

    Raises:
        ConfigError: they may not.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < _OPEN_FILES:
        raise ConfigError(
            f"only {most} files may be open at once, and {_OPEN_FILES} are needed: raise the hard limit (`ulimit -n`)"
        )


def write_settings(layout: Layout, environment: Mapping[str, str], options: StackOptions) -> Record:
    """Prepare both servers' directories and write what supervisord and clients of the stack read.

    Raises:
        ConfigError: a name or setting that cannot be one, no Java, port in use, directory unusable, disk full.
    """
    _refuse_wrong_options(options)
    old = read_record(layout)
    password = old.password if old else new_password()
    analyst_password = old.analyst_password if old else new_password()
    node, kafka = prepare_kafka(
        layout.directory / "kafka",
        environment=environment,
        port=options.kafka_port,
        bundled_java=options.bundled_java,
    )
    url, clickhouse = prepare_clickhouse(
        layout.directory / "clickhouse",
        port=options.clickhouse_port,
        password=password,
        analyst_password=analyst_password,
    )
    record = Record(
        kafka=node.bootstrap,
        clickhouse=url,
        password=password,
        analyst_password=analyst_password,
        topic_prefix=options.topic_prefix,
        database=options.database,
        control_port=free_port(),
        control_password=new_password(),
    )
    write_record(layout, record)
    programs = _programs(layout, kafka, clickhouse, variables_of(layout, record, options), options)
    settings = render_supervisor_settings(
        layout, programs, control_port=record.control_port, control_password=record.control_password
    )
    try:
        layout.supervisor_log.unlink(missing_ok=True)
        # the pid of an earlier one may by now be somebody else's
        layout.supervisor_pid.unlink(missing_ok=True)
        layout.supervisor_settings.touch(mode=0o600)
        layout.supervisor_settings.write_text(settings)
    except OSError as problem:
        raise ConfigError(explain(layout.directory, problem)) from None
    return record


def _refuse_wrong_options(options: StackOptions) -> None:
    """Before anything starts, because the processors would refuse them much later."""
    ports = (options.kafka_port, options.clickhouse_port)
    if None not in ports and ports[0] == ports[1]:
        raise ConfigError(f"port {ports[0]} cannot be Kafka's and ClickHouse's: choose two")
    names = {"HINDCAST_TOPIC_PREFIX": options.topic_prefix, "HINDCAST_DATABASE": options.database}
    ProcessorSettings.from_environment({**names, **options.settings})


def _programs(
    layout: Layout, kafka: Program, clickhouse: Program, variables: Mapping[str, str], options: StackOptions
) -> list[Watched]:
    programs = [
        Watched(Program(p.name, p.command, layout.log(p.name), p.environment), 10, stop_within_s=20)
        for p in (kafka, clickhouse)
    ]
    for role, command in options.processors.items():
        programs.append(Watched(Program(role, command, layout.log(role), variables), 20, stop_within_s=15))
    for watched in programs:
        watched.program.log.unlink(missing_ok=True)
    return programs


def variables_of(layout: Layout, record: Record, options: StackOptions) -> dict[str, str]:
    """The environment of the processors."""
    return {
        **record.environment(layout),
        # What the caller may have set for another Kafka or ClickHouse does not fit these.
        "HINDCAST_KAFKA_PROPERTIES": "",
        "HINDCAST_SCHEMA_REGISTRY": "",
        "HINDCAST_CLICKHOUSE_CLUSTER": "",
        # Nobody else is attached: a new contract may take effect at once.
        **options.settings,
    }


def start_supervisor(
    layout: Layout, environment: Mapping[str, str], record: Record, *, detach: bool
) -> tuple[subprocess.Popen[bytes], Supervisor]:
    """Start supervisord and return when it takes orders; unless detached it ends with the calling thread.

    Raises:
        ConfigError: another one holds the directory, or it does not start.
    """
    command = [sys.executable, "-m", "hindcast.local.supervise"]
    command += [str(layout.lock), str(layout.supervisor_settings)]
    variables = dict(environment)
    if (CHECKOUT / "pyproject.toml").is_file():
        # The programs run in their own working directory and must find a checkout that is not installed.
        known = variables.get("PYTHONPATH", "")
        variables["PYTHONPATH"] = f"{CHECKOUT}{os.pathsep}{known}" if known else str(CHECKOUT)
    with layout.log("supervisor").open("wb") as log:
        process = subprocess.Popen(
            command if detach else leashed(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=variables,
            start_new_session=True,
        )
    supervisor = Supervisor(record.control_port, record.control_password)
    try:
        _await_control(process, supervisor, layout)
    except BaseException:
        # nobody else knows it yet, and it has started nothing
        process.kill()
        process.wait()
        raise
    return process, supervisor


def _await_control(process: subprocess.Popen[bytes], supervisor: Supervisor, layout: Layout) -> None:
    limit = time.monotonic() + _CONTROL_S
    while not supervisor.answers():
        if process.poll() == ALREADY_RUNNING:
            raise ConfigError(
                f"a stack already runs in {layout.directory}: stop it with `{told('down', layout.directory)}`"
            )
        if process.poll() is not None or time.monotonic() > limit:
            raise ConfigError(f"the supervisor did not start: {last_words(layout.log('supervisor'))}")
        time.sleep(_POLL_S)


def start_servers(
    layout: Layout, supervisor: Supervisor, record: Record, said: Callable[[str], None]
) -> None:
    """Start Kafka and ClickHouse together and return when both answer.

    Raises:
        ConfigError: one of them stopped, or does not answer in time; its last words.
    """
    checks: dict[str, Callable[[], bool]] = {
        "kafka": lambda: answers(record.kafka),
        "clickhouse": lambda: pings(record.clickhouse),
    }
    for name in checks:
        said(f"starting {name}")
        supervisor.start(name)
    limit = time.monotonic() + START_S
    for name, ready in checks.items():
        while not ready():
            state = supervisor.processes()[name].state
            if state in _FAILED_STATES:
                raise ConfigError(f"{name} stopped at its start: {last_words(layout.log(name))}")
            if time.monotonic() > limit:
                raise ConfigError(f"{name} was not ready after {START_S:.0f} s")
            time.sleep(_POLL_S)
