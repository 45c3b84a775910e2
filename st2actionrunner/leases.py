"""Keeps this runner's claim on its executions alive, and notices those that it has lost or that are to end.

The runner has a lease of its own too, which tells others that it is alive.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from st2common import metrics
from st2common.clock import now_us
from st2common.errors import Fenced
from st2common.models.executions import Executions
from st2common.models.leases import RUNNERS, Lease
from st2common.models.statuses import Status

if TYPE_CHECKING:
    from st2actionrunner.active_run import ActiveRun

LOG = logging.getLogger(__name__)

# Seconds. A lease outlives three renewals that fail: a slow database must not look like a dead runner.
LEASE = 45.0
RENEW_INTERVAL = 10.0

# Seconds after a renewal that failed: when the database is back, we have to be there before the rescuer.
RETRY_INTERVAL = 0.5

# Seconds for which a runner that stops in order hands its children over to its successor.
HANDOVER_LEASE = 600.0


def lease_until(seconds: float = LEASE) -> int:
    """Microseconds since the epoch."""
    return now_us() + int(seconds * 1_000_000)


def require_lease(executions: Executions, held: Mapping[str, Any]) -> None:
    """What is begun after this has not been given to others. ``held``: as the claim gave it.

    Raises:
        Fenced: the lease ran out while we stood still or waited, and the execution is somebody else's now, or over.
    """
    if now_us() >= held["lease_until"] and not executions.hold(held, lease_until()):
        raise Fenced


class LeaseKeeper:
    def __init__(self, executions: Executions, owner: str, active: Callable[[], Mapping[str, ActiveRun]]) -> None:
        """``active`` gives the runs of this process by execution id."""
        self._executions = executions
        self._owner = owner
        self._alive = Lease(executions.collection.database, RUNNERS + owner, owner, LEASE)
        self._active = active
        self._stopping = False
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        #: Why leases are not renewed, in one sentence; None while they are.
        self.problem: str | None = None

    def start(self) -> None:
        """Renew at once, and again and again from then on."""
        self._thread.start()

    def renew_now(self) -> None:
        """Something may have been missed: renew, and look at the executions, without waiting for the next time."""
        self._due.set()

    def stop(self, left: Mapping[str, ActiveRun]) -> None:
        """Renew no more; the runs ``left`` with the keeper are handed over."""
        self._stopping = True
        self._due.set()
        self._thread.join()
        # Without a database there is nothing to be told: the leases run out by themselves.
        if left or not self.problem:
            self._try(left, HANDOVER_LEASE)

    def _run(self) -> None:
        while not self._stopping:
            self._try(self._active(), LEASE)
            self._due.wait(RETRY_INTERVAL if self.problem else RENEW_INTERVAL)
            self._due.clear()

    def _try(self, active: Mapping[str, ActiveRun], seconds: float) -> None:
        try:
            if active:
                self._executions.renew_leases(self._owner, active, lease_until(seconds))
                self._look_at(active)
            self._tell_alive()
            self.problem = None
            metrics.LEASE_RENEWED.inc()
        except PyMongoError as error:
            metrics.LEASE_FAILED.inc()
            self.problem = f"leases are not renewed: {error}"
            LOG.warning("Our lease and those of %d executions are not renewed: %s", len(active), error)

    def _tell_alive(self) -> None:
        if self._stopping:
            self._alive.release()
        else:
            self._alive.acquire()

    def _look_at(self, active: Mapping[str, ActiveRun]) -> None:
        for stored in self._executions.owned(active):
            run = active[str(stored["_id"])]
            if stored["attempt"] != run.attempt or stored["owner"] != self._owner:
                LOG.warning("Execution %s has been given to another attempt: ending ours", run.name)
                run.fence()
                continue
            if stored["status"] == Status.CANCELING:
                run.cancel()
            self._learn_secrets(run, stored)

    def _learn_secrets(self, run: ActiveRun, stored: Mapping[str, Any]) -> None:
        """Whoever has registered them waits until we say that we know them."""
        registrations = stored.get("registrations", 0)
        if registrations > run.registrations:
            found = self._executions.get(run.execution_id, {"decrypted": 1})
            run.learn(registrations, found["decrypted"] if found else ())
        if registrations > stored.get("registrations_known", 0):
            self._executions.know_secrets(run.execution_id, run.attempt, registrations)
