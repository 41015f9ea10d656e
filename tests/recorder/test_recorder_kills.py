"""kill -9 of recorders while late events stream in: nothing is lost and nothing is there twice, in whatever view."""

from __future__ import annotations

import random
import threading

import pytest
from recording_road import Road
from steady_load import SteadyLoad
from waiting import eventually


def kill_while_recording(road: Road, kills: int, seed: int) -> None:
    """Let two recorders share the work under load, and kill one or both of them at random moments, again and again.

    The next one takes the dead one's slot, or now and then another slot, so that partitions move.
    """
    chance = random.Random(seed)
    pause = threading.Event()
    slots = ["0", "1"]
    running = {}
    with SteadyLoad(road) as load:
        for number in range(kills):
            for slot in slots:
                if slot not in running:
                    running[slot] = road.start(slot)
            for slot, recorder in running.items():
                eventually(
                    lambda slot=slot, pid=recorder.pid: road.heartbeat(slot).get("pid") == pid,
                    within=60,
                    saying="both run",
                )
            pause.wait(chance.uniform(0.0, 3.0))
            for slot in chance.sample(slots, chance.choice([1, 1, 2])):
                road.kill(running.pop(slot))
                if chance.random() < 0.25:
                    slots[slots.index(slot)] = f"{slot[0]}-{number}"
    for slot in slots:
        if slot not in running:
            road.start(slot)
    road.recorded("predictions", "labels", "sketches", "ledger", within=300)
    load.assert_recorded_once()


def test_four_kills_under_load(road: Road) -> None:
    """Four kills lose and repeat nothing, and the accounts balance, before merges and after."""
    kill_while_recording(road, 4, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_hundreds_of_kills_under_load(road: Road, seed: int) -> None:
    """The same with 300 kills."""
    kill_while_recording(road, 30, seed)
