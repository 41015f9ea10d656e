"""Memory of batches stays with the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

_ROUNDS = """
import resource
from stream_processors.profiler.batch_memory import BatchMemory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

memory = BatchMemory() if {held} else None
for number in range(12):
    if number == 2:
        before = faults()
    batch = [bytes(300) for _ in range(20_000)]
    if memory:
        memory.hold(batch)
    del batch
print(faults() - before)
"""


@pytest.mark.parametrize(("held", "least", "most"), [(True, 0, 400), (False, 10_000, 10**9)])
def test_the_next_batch_faults_no_pages_in(held: bool, least: int, most: int) -> None:
    """Ten batches of 6 MB find the memory of those before; without `hold` each asks for its 1,500 pages again."""
    done = subprocess.run(
        [sys.executable, "-c", _ROUNDS.format(held=held)], capture_output=True, text=True, check=True
    )
    assert least <= int(done.stdout) <= most
