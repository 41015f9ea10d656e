"""``python -m stream_processors.monitor``."""

from __future__ import annotations

import sys

from stream_processors.monitor.process import main

sys.exit(main())
