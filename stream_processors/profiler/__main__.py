"""``python -m stream_processors.profiler``."""

from __future__ import annotations

import sys

from stream_processors.profiler.process import main

sys.exit(main())
