"""confluent_kafka, loaded when it is first needed, and whole in a forked child."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

# A fork while another thread imports leaves the child with half a module and a lock that nobody opens. The thread that sends
# imports in the background, so servers that load a service before they fork meet exactly this.
_importing = threading.Lock()
os.register_at_fork(
    before=_importing.acquire, after_in_parent=_importing.release, after_in_child=_importing.release
)


def confluent_kafka() -> Any:
    """The module; loading it takes 50 ms, once. A fork waits for it."""
    with _importing:
        import confluent_kafka

    return confluent_kafka


def load_before_fork() -> None:
    """Load it now where forks run no hooks of Python's: in uWSGI, which has a module of its own name."""
    # not again in a forked child: its hooks run before the lock is released
    if "uwsgi" in sys.modules and "confluent_kafka" not in sys.modules:
        confluent_kafka()
