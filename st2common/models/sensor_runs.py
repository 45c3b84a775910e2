"""Runs of sensors: one document for each process of a sensor, and for each attempt to start one.

The document in ``sensor_run_d_b``::

    _id         ObjectId; the log of what the process prints has this id too
    sensor      reference
    node        name of the container's node
    host, pid   where the process is; pid None: it was never there
    status      one of :class:`Status`
    started_at, ended_at   microseconds since the epoch; ended_at None while it runs
    exit_code   negative: the number of the signal that ended it
    error       why it could not run, or failed; None where there is nothing to say
    failures    how often in a row the process has crashed soon after its start, this time included
    latest      True on the last run of each sensor

A process that prints a lot has several runs, one after the other: a log is never longer than a limit, so that old ones
can be removed while the process lives. Those before the last one have the status ``continued``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from st2common.clock import isoformat, now_us
from st2common.models.connection import Document

COLLECTION = "sensor_run_d_b"


class Status(StrEnum):
    RUNNING = "running"
    #: The process goes on, and prints into the log of the next run.
    CONTINUED = "continued"
    #: It ended by itself and in order: it has done all that there was to do.
    FINISHED = "finished"
    #: It was ended because it is not to run here any more, or with its container.
    STOPPED = "stopped"
    #: It crashed and is started again in a moment.
    RESTARTING = "restarting"
    #: It could not be started, or crashed too often: it stays down until it is changed or enabled anew.
    FAILED = "failed"
    #: Its container died, and it with it.
    LOST = "lost"


INDEXES = [
    IndexModel([("sensor", ASCENDING), ("_id", ASCENDING)], name="sensor"),
    IndexModel([("latest", ASCENDING), ("sensor", ASCENDING)], name="latest"),
    IndexModel([("ended_at", ASCENDING)], name="ended_at"),
]


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see, as ``run`` of a sensor."""
    ended_at = stored["ended_at"]
    return {
        "id": str(stored["_id"]),
        "sensor": stored["sensor"],
        "node": stored["node"],
        "host": stored["host"],
        "pid": stored["pid"],
        "status": stored["status"],
        "started_at": isoformat(stored["started_at"]),
        "ended_at": isoformat(ended_at) if ended_at else None,
        "exit_code": stored["exit_code"],
        "error": stored["error"],
        "failures": stored["failures"],
    }


class SensorRuns:
    def __init__(self, database: Database[Document]) -> None:
        self._collection = database[COLLECTION]

    def ensure_indexes(self) -> None:
        self._collection.create_indexes(INDEXES)

    def begin(self, sensor: str, node: str, host: str, pid: int | None, failures: int) -> str:
        """Store a new run that is the latest of its sensor; its id."""
        run: Document = {
            "_id": ObjectId(),
            "sensor": sensor,
            "node": node,
            "host": host,
            "pid": pid,
            "status": str(Status.RUNNING),
            "started_at": now_us(),
            "ended_at": None,
            "exit_code": None,
            "error": None,
            "failures": failures,
            "latest": True,
        }
        self._collection.insert_one(run)
        earlier = {"latest": True, "sensor": sensor, "_id": {"$ne": run["_id"]}}
        self._collection.update_many(earlier, {"$set": {"latest": False}})
        return str(run["_id"])

    def end(self, run_id: str, status: Status, exit_code: int | None, error: str | None, failures: int) -> None:
        """Nothing happens to a run that has ended."""
        ended = {
            "status": str(status),
            "ended_at": now_us(),
            "exit_code": exit_code,
            "error": error,
            "failures": failures,
        }
        self._collection.update_one({"_id": ObjectId(run_id), "ended_at": None}, {"$set": ended})

    def get(self, run_id: str) -> Document | None:
        return self._collection.find_one({"_id": ObjectId(run_id)}) if ObjectId.is_valid(run_id) else None

    def final_status(self, run_id: str) -> str | None:
        """The status of a run that has ended or is gone, else None."""
        found = self.get(run_id)
        if found is None:
            return str(Status.LOST)
        return found["status"] if found["ended_at"] else None

    def latest(self, sensors: Collection[str]) -> dict[str, Document]:
        """{reference: the last run} of those sensors that have had one."""
        found = self._collection.find({"latest": True, "sensor": {"$in": sorted(sensors)}})
        return {run["sensor"]: run for run in sorted(found, key=lambda run: run["_id"])}

    def of(self, sensor: str) -> list[Document]:
        """All runs of a sensor that are known, the last one first."""
        return sorted(self._collection.find({"sensor": sensor}), key=lambda run: run["_id"], reverse=True)

    def open_on(self, node: str) -> list[Document]:
        """Runs of a node that have not ended."""
        return list(self._collection.find({"ended_at": None, "node": node}))

    def delete(self, run_ids: Collection[str]) -> int:
        """Their logs have to be removed before."""
        ids = {"$in": [ObjectId(run_id) for run_id in run_ids]}
        return self._collection.delete_many({"_id": ids}).deleted_count


def ended_before(before_us: int, sensors: Collection[str]) -> Document:
    """The condition on runs that ended before a time, but for the last one of each of these sensors (references)."""
    last = {"latest": True, "sensor": {"$in": sorted(sensors)}}
    return {"ended_at": {"$lt": before_us, "$ne": None}, "$nor": [last]}
