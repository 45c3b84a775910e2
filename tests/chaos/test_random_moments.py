"""Every part of a platform under load is killed at random moments, again and again: what was promised comes true.

The seed is printed; ``CHAOS_SEED`` draws the same moments again. ``CHAOS_SECONDS`` is how long it goes on.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform
from tests.chaos.chaos import DAEMONS, SERVERS, Chaos
from tests.chaos.load import Load
from tests.flows import write_pack

# Seconds.
_DURATION = float(os.environ.get("CHAOS_SECONDS") or 60)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(tmp_path / "var")
    write_pack(platform.var / "packs")
    with platform.running():
        yield platform


def disturb(chaos: Chaos) -> None:
    """A few parts die, and sometimes another one while they start again."""
    victims = chaos.chance.sample([*DAEMONS, *SERVERS], chaos.chance.choice((1, 1, 2, 3)))
    chaos.kill_all(victims, 0.3)
    chaos.pause(0, 2)
    restoring = threading.Thread(target=chaos.restore)
    restoring.start()
    if chaos.chance.random() < 0.3:
        chaos.pause(0, 3)
        chaos.kill_all(chaos.chance.sample([*DAEMONS, *SERVERS], 1), 0)
    restoring.join()
    chaos.restore()


@pytest.mark.full
@pytest.mark.timeout(_DURATION + 900)
def test_what_was_promised_comes_true_whatever_dies_when(platform: Platform, tmp_path: Path) -> None:
    chaos = Chaos(platform)
    load = Load(platform, tmp_path, chaos.chance)
    load.start()
    end = time.monotonic() + _DURATION
    times = 0
    while time.monotonic() < end:
        chaos.pause(0, 3)
        disturb(chaos)
        times += 1
    load.finish()
    load.check()
    print(f"Disturbed {times} times; {len(load.runs)} actions and {len(load.workflows)} workflows were watched.")
    assert load.runs
    assert load.workflows
