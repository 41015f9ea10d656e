"""``python -m stream_processors.recorder``."""

from __future__ import annotations

import sys

from stream_processors.recorder.process import main

sys.exit(main())
