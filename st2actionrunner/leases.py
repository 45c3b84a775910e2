"""Keeps this runner's claim on its executions alive, and notices those that it has lost or that are to end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from pymongo.errors import PyMongoError

from st2actionrunner.active_run import ActiveRun
from st2common.clock import now_us
from st2common.models.executions import Executions
from st2common.models.statuses import COMPLETED, Status

LOG = logging.getLogger(__name__)

# Seconds. A lease outlives three renewals that fail: a slow database must not look like a dead runner.
LEASE = 45.0
RENEW_INTERVAL = 10.0

# Seconds for which a runner that stops in order hands its children over to its successor.
HANDOVER_LEASE = 600.0


def lease_until(seconds: float = LEASE) -> int:
    """Microseconds since the epoch."""
    return now_us() + int(seconds * 1_000_000)


class LeaseKeeper:
    def __init__(self, executions: Executions, owner: str, active: Callable[[], Mapping[str, ActiveRun]]) -> None:
        """``active`` gives the runs of this process by execution id."""
        self._executions = executions
        self._owner = owner
        self._active = active
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self.problem: str | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self, left: Mapping[str, ActiveRun]) -> None:
        """Renew no more; the runs ``left`` with the keeper are handed over."""
        self._stop.set()
        self._thread.join()
        if left:
            self._try(left, HANDOVER_LEASE)

    def _run(self) -> None:
        while not self._stop.wait(RENEW_INTERVAL):
            if active := self._active():
                self._try(active, LEASE)

    def _try(self, active: Mapping[str, ActiveRun], seconds: float) -> None:
        try:
            self._executions.renew_leases(self._owner, active, lease_until(seconds))
            self._look_at(active)
            self.problem = None
        except PyMongoError as error:
            self.problem = f"leases are not renewed: {error}"
            LOG.warning("The leases of %d executions are not renewed: %s", len(active), error)

    def _look_at(self, active: Mapping[str, ActiveRun]) -> None:
        for stored in self._executions.owned(active):
            run = active[str(stored["_id"])]
            if stored["attempt"] != run.attempt or stored["owner"] != self._owner:
                LOG.warning("Execution %s has been given to another attempt: ending ours", run.name)
                run.fence()
            elif stored["status"] == Status.CANCELING or (stored.get("cancel") and stored["status"] not in COMPLETED):
                run.cancel()
