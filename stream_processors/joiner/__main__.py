"""``python -m stream_processors.joiner``."""

from __future__ import annotations

import sys

from stream_processors.joiner.process import main

sys.exit(main())
