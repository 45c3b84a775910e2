"""Disturbances of a platform at times that are drawn by chance. The seed is printed; ``CHAOS_SEED`` repeats a run."""

from __future__ import annotations

import os
import random
import signal
import time

from st2ctl import servers
from st2ctl.installation import Installation
from tests.acceptance.platforms import Platform


class Chaos:
    """A platform, and the means to disturb it."""

    def __init__(self, platform: Platform) -> None:
        seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
        print(f"CHAOS_SEED={seed}")
        self.platform = platform
        self.chance = random.Random(seed)
        self._installation = Installation.in_directory(platform.var)

    def pause(self, shortest: float, longest: float) -> None:
        """Not a wait for something: the time at which things happen is what varies here."""
        time.sleep(self.chance.uniform(shortest, longest))

    def kill(self, daemon: str) -> None:
        process = self.platform.process(daemon)
        process.send(signal.SIGKILL)
        assert process.wait(10)

    def freeze(self, daemon: str, shortest: float, longest: float) -> None:
        process = self.platform.process(daemon)
        process.send(signal.SIGSTOP)
        try:
            self.pause(shortest, longest)
        finally:
            process.send(signal.SIGCONT)

    def kill_broker(self) -> None:
        servers.broker(self._installation).kill()

    def kill_database(self) -> None:
        servers.database(self._installation, False).kill()

    def restore(self) -> None:
        """Start again what is dead, servers too."""
        self.platform.start()
