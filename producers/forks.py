"""What happens around a fork: before it, after it in the parent, and first of all in a child, also in uWSGI, whose forks run
Python's hooks only if it is told to.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

WARNING = (
    "uWSGI loads this service before it forks, without telling Python: its workers may hang, "
    "as a thread runs here; start it with --lazy-apps or --py-call-uwsgi-fork-hooks"
)


def in_child(hook: Callable[[], object]) -> None:
    """Call ``hook`` in every child of this process, before anything else; in uWSGI perhaps twice."""
    os.register_at_fork(after_in_child=hook)
    if "uwsgi" in sys.modules:
        _after_forks_of_uwsgi(hook)


def around(before: Callable[[], object], after: Callable[[], object]) -> None:
    """Call ``before`` ahead of every fork of this process, on its thread, and ``after`` in the parent once it forked.

    What was registered last comes first before a fork, and last after it.
    """
    os.register_at_fork(before=before, after_in_parent=after)


def wait_for_lookups() -> None:
    """Wait until no other thread holds the C library's lock on looking up names, which a child would inherit held (see `pause`).

    The next one may take it at once: where clients run that are not ours, or not to be stopped, this makes the harm rare and no more.
    """
    import socket  # who does not fork loads none

    with contextlib.suppress(OSError):
        socket.getaddrinfo("127.0.0.1", None, flags=socket.AI_ADDRCONFIG)


def complaints() -> list[str]:
    """What is wrong with a thread that runs in this process, in words: `WARNING`, or nothing."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None or uwsgi.worker_id() or uwsgi.mule_id() or not uwsgi.masterpid():
        return []
    return [] if "py-call-uwsgi-fork-hooks" in uwsgi.opt else [WARNING]


def _after_forks_of_uwsgi(hook: Callable[[], object]) -> None:
    parent = os.getpid()

    def forked() -> None:
        # without a master the first worker is the process that loaded the service
        if os.getpid() != parent:
            hook()

    try:
        importlib.import_module("uwsgidecorators").postfork(forked)
    except Exception:  # noqa: BLE001 - some installations lack it, and it refuses a uWSGI without master
        uwsgi: Any = sys.modules["uwsgi"]
        before = getattr(uwsgi, "post_fork_hook", None)

        def both() -> None:
            if before is not None:
                before()
            forked()

        uwsgi.post_fork_hook = both
