"""The embedded database as a service of the standalone process: a child that is started again when it dies."""

from __future__ import annotations

import logging
import threading
import time

from st2ctl.embedded import EmbeddedDatabase, ServerFailed

LOG = logging.getLogger(__name__)

# Seconds between two looks at the child.
_LOOK_INTERVAL = 0.5

# Seconds before the first restart, and at most; doubled each time, and back to the first once it has run for long.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_RUNS_WELL_AFTER = 60.0


class SupervisedDatabase:
    """Launched before the other services are made and stopped after them: they need it until their last write."""

    name = "database"

    def __init__(self, server: EmbeddedDatabase) -> None:
        self._server = server
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._restart_when_dead, name="database-supervisor", daemon=True)
        self._problem: str | None = None

    def launch(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ServerFailed: it is not installed, ended, or does not answer.
        """
        self._server.start()

    def start(self) -> None:
        """Begin to watch over the launched server."""
        self._watch.start()

    def stop(self, deadline: float) -> None:
        self._stopping.set()
        if self._watch.is_alive():
            self._watch.join()
        self._server.stop()

    def health(self) -> str | None:
        return self._problem

    def _restart_when_dead(self) -> None:
        pause, started = _FIRST_PAUSE, time.monotonic()
        while not self._stopping.wait(_LOOK_INTERVAL):
            if self._server.pid is not None:
                continue
            if time.monotonic() - started > _RUNS_WELL_AFTER:
                pause = _FIRST_PAUSE
            self._problem = f"the database ended; see {self._server.log}"
            LOG.error("%s; starting it again in %g s", self._problem, pause)
            if self._stopping.wait(pause):
                return
            pause, started = min(2 * pause, _LONGEST_PAUSE), time.monotonic()
            self._start_again()

    def _start_again(self) -> None:
        try:
            self._server.start()
        except ServerFailed as error:
            LOG.error("the database did not start: %s", error)
        else:
            LOG.info("the database runs again (pid %s)", self._server.pid)
            self._problem = None
