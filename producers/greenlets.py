"""gevent, whose patched threads all run on one: whoever waits in C there holds up the whole service."""

from __future__ import annotations

import sys
from typing import Any


def threads_are_greenlets() -> bool:
    """Whether gevent has patched Python's threads in this process."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
