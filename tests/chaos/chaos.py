"""A platform, and the means to disturb it. What happens when is drawn by chance, from a seed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence

from st2ctl import heartbeats, servers
from st2ctl.embedded import EmbeddedDatabase, PrivateRabbitMQ
from st2ctl.installation import Installation
from st2ctl.processes import Process
from tests.acceptance.platforms import Platform
from tests.conditions import eventually

#: Seconds within which everything has calmed down after the last disturbance.
PATIENCE = 60.0

DAEMONS = ("st2actionrunner", "st2api", "st2garbagecollector", "st2rulesengine", "st2sensorcontainer", "st2stream")
SERVERS = ("broker", "database")


class Chaos:
    def __init__(self, platform: Platform) -> None:
        seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
        print(f"CHAOS_SEED={seed}")
        self.chance = random.Random(seed)
        self.platform = platform
        self._installation = Installation.in_directory(platform.var)

    def pause(self, shortest: float, longest: float) -> None:
        """Not a wait for something: the time at which things happen is what varies here."""
        time.sleep(self.chance.uniform(shortest, longest))

    def kill(self, name: str) -> None:
        """``kill -9`` of a daemon or a server; nothing where it does not run at the moment."""
        if name in SERVERS:
            self._server(name).kill()
        else:
            for process in self._processes(name):
                process.send(signal.SIGKILL)
                assert process.wait(10)

    def kill_all(self, names: Sequence[str], longest: float) -> None:
        """In any order, one after the other or nearly at once: ``longest`` seconds between two."""
        for name in self.chance.sample(names, len(names)):
            self.kill(name)
            self.pause(0, longest)

    def freeze(self, name: str, shortest: float, longest: float) -> None:
        """A daemon or a server that does not answer for a while."""
        pid = self._server(name).pid if name in SERVERS else self.platform.process(name).pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        try:
            self.pause(shortest, longest)
        finally:
            os.kill(pid, signal.SIGCONT)

    def restore(self) -> None:
        """Start again what is dead, servers too; once more when something died meanwhile."""
        eventually(lambda: self.platform.ctl("start").returncode == 0, 2 * PATIENCE)

    def _server(self, name: str) -> EmbeddedDatabase | PrivateRabbitMQ:
        return servers.broker(self._installation) if name == "broker" else servers.database(self._installation, False)

    def _processes(self, name: str) -> list[Process]:
        return [beat.process for beat in heartbeats.read_all(self.platform.var) if beat.name == name]
