"""How every processor begins and ends as a process: settings from the environment, signals, log lines, exit codes."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib.abc import MetaPathFinder

from producers.errors import ConfigError, TransientError
from stream_processors.settings import ProcessorSettings

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# what these say of a server that is away, line after line, the status says once
_QUIET = ("aiokafka", "urllib3", "clickhouse_connect")


# Messages come by the hundred thousand, are no cycles, and are gone with their batch; with Python's own thresholds the search
# for cycles among them took a quarter of the recorder's time.
_GC_THRESHOLDS = (200_000, 20, 20)


def spare_cycles() -> None:
    """Seldom search for cycles, and never among what is there now."""
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def forget_life() -> None:
    """Free what is left of a life that a fault has ended: its parts and Kafka's clients know each other, and nobody would look for such cycles for days."""
    gc.collect()


class _NoPandas(MetaPathFinder):
    """Finds no pandas, and leaves everything else to others."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("a processor does without pandas", name=name)


def leave_pandas_out() -> None:
    """Keep pyarrow from importing pandas at the first array only to ask whether the values are a frame: half a second, and memory."""
    sys.meta_path.insert(0, _NoPandas())


def processor_main(role: str, run: Callable[[ProcessorSettings, threading.Event], None]) -> int:
    """Run until SIGTERM or SIGINT; returns 0, 2 where the settings are at fault, 1 where only a new process helps."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # Faust and mode say every step at INFO
    logging.basicConfig(level=logging.WARNING, format=_FORMAT)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    leave_pandas_out()
    spare_cycles()
    try:
        run(ProcessorSettings.from_environment(os.environ), stop)
    except ConfigError as fault:
        sys.stderr.write(f"{role}: {fault}\n")
        return 2
    except TransientError as fault:
        sys.stderr.write(f"{role}: {fault}: start it again\n")
        return 1
    # the interpreter's last search for cycles took a second among a backlog of a hundred thousand messages
    gc.freeze()
    return 0
