"""A stand-in program for tests of the supervision: beats like a processor, and does nothing else."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from stream_processors.status import StatusFile

if __name__ == "__main__":
    role = sys.argv[1]
    status = StatusFile(role, "0", Path(os.environ["HINDCAST_STATUS_DIR"]))
    while True:
        status.worked(7)
        status.beat({"t-0": 10}, {"t-0": 3, "t-1": 4})
        time.sleep(0.2)
