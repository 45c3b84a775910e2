"""Playing schedules by the thousand. A failure names its seed, and how to play that schedule alone."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable
from types import ModuleType
from typing import Protocol

import pytest

from tests.chaos.simulation.schedule import Clock, Schedule


class World(Protocol):
    schedule: Schedule

    def play(self) -> None: ...

    def check(self) -> None: ...


def play(
    monkeypatch: pytest.MonkeyPatch, make_world: Callable[[int], World], modules: list[ModuleType], schedules: int
) -> None:
    """``make_world`` takes a seed; ``modules`` are those of the product that look at the clock."""
    monkeypatch.setattr(logging.getLogger("st2common"), "level", logging.ERROR)
    monkeypatch.setattr(logging.getLogger("st2garbagecollector"), "level", logging.ERROR)
    first = int(os.environ.get("SIMULATION_SEED") or random.SystemRandom().randrange(2**32))
    print(f"SIMULATION_SEED={first}")
    for seed in range(first, first + int(os.environ.get("SIMULATION_SCHEDULES") or schedules)):
        random.seed(seed)  # the jitter of who tries again
        world = make_world(seed)
        for module in modules:
            monkeypatch.setattr(module, "time", Clock(world.schedule))
        try:
            world.play()
            world.check()
        except Exception as error:
            error.add_note(f"SIMULATION_SEED={seed} SIMULATION_SCHEDULES=1")
            raise
        finally:
            world.schedule.end()
