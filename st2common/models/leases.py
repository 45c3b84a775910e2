"""Leases: of several processes that could do a thing, one does it at a time.

The document in ``lease_d_b``::

    _id     what the lease is for
    owner   who holds it
    until   microseconds since the epoch

The hosts' clocks are compared with each other: a lease must be much longer than they can differ.
"""

from __future__ import annotations

import time

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.clock import now_us
from st2common.models.connection import Document

COLLECTION = "lease_d_b"

#: The lease of the garbage collector that works.
COLLECTOR = "garbagecollector"
#: The lease of the rules engine that fires the timers.
TIMERS = "timers"
#: Behind it the name of a node whose sensors are run.
SENSOR_CONTAINERS = "sensorcontainer/"
#: Behind it the name of an action runner: it holds such a lease as long as it is alive.
RUNNERS = "actionrunner/"
#: The same of workflow engines.
ENGINES = "workflowengine/"


class Lease:
    def __init__(self, database: Database[Document], name: str, owner: str, seconds: float) -> None:
        self._collection = database[COLLECTION]
        self._name = name
        self._owner = owner
        self._length = int(seconds * 1_000_000)
        # Seconds for which a lease that we took is held without asking: most of it is left then.
        self._sure = seconds / 10
        self._sure_until = 0.0

    def acquire(self) -> bool:
        """Take the lease if it is free or ran out, or renew it if it is ours; whether we hold it now.

        Costs nothing while it has just been renewed.
        """
        asked = time.monotonic()
        if asked < self._sure_until:
            return True
        held = self._take()
        self._sure_until = asked + self._sure if held else 0.0
        return held

    def _take(self) -> bool:
        now = now_us()
        renewed = {"$set": {"owner": self._owner, "until": now + self._length}}
        free: list[Document] = [{"_id": self._name, "owner": self._owner}, {"_id": self._name, "until": {"$lt": now}}]
        if any(self._collection.update_one(condition, renewed).matched_count for condition in free):
            return True
        try:
            self._collection.insert_one({"_id": self._name, "owner": self._owner, "until": now + self._length})
        except DuplicateKeyError:
            return False
        return True

    def release(self) -> None:
        """Let the next one have it at once, if it is ours."""
        self._sure_until = 0.0
        self._collection.delete_one({"_id": self._name, "owner": self._owner})


def holders(database: Database[Document], prefix: str) -> list[str]:
    """Who holds a lease now whose name begins with ``prefix``."""
    named = {"_id": {"$gte": prefix, "$lt": prefix + "\uffff"}}
    return sorted(lease["owner"] for lease in database[COLLECTION].find({**named, "until": {"$gt": now_us()}}))
