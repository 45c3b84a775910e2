"""Trigger instances: the events themselves, each stored before anything is done about it.

The document in ``trigger_instance_d_b``::

    _id              ObjectId
    trigger          reference of the trigger
    trigger_type     reference of its type
    payload          what the event says
    occurrence_time  microseconds since the epoch
    status           one of :class:`Status`
    trace_context    {id_} or {trace_tag}; absent where nobody named a trace
    republish_at     microseconds since the epoch: when the sweeper publishes it again if no engine processes it before
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

from st2common.clock import isoformat, now_us
from st2common.models.connection import Document

COLLECTION = "trigger_instance_d_b"


class Status(StrEnum):
    #: Stored, and no engine has seen to it yet.
    PENDING = "pending"
    PROCESSED = "processed"
    #: An engine could not see to it, and says why in its log.
    PROCESSING_FAILED = "processing_failed"


INDEXES = [
    IndexModel([("occurrence_time", DESCENDING)], name="occurrence_time"),
    IndexModel([("status", ASCENDING), ("occurrence_time", ASCENDING)], name="status_occurrence"),
]


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see."""
    return {
        "trigger": stored["trigger"],
        "occurrence_time": isoformat(stored["occurrence_time"]),
        "status": stored["status"],
        "id": str(stored["_id"]),
        "payload": stored.get("payload") or {},
    }


class TriggerInstances:
    def __init__(self, database: Database[Document]) -> None:
        self.collection = database[COLLECTION]

    def ensure_indexes(self) -> None:
        self.collection.create_indexes(INDEXES)

    def insert(self, instance: Document) -> None:
        self.collection.insert_one(instance)

    def get(self, instance_id: str) -> Document | None:
        return self.collection.find_one({"_id": ObjectId(instance_id)}) if ObjectId.is_valid(instance_id) else None

    def waiting(self, instance_ids: Collection[str]) -> list[Document]:
        """Those that no engine has seen to yet."""
        ids = {"$in": [ObjectId(text) for text in instance_ids if ObjectId.is_valid(text)]}
        return list(self.collection.find({"_id": ids, "status": str(Status.PENDING)}))

    def set_status(self, instance_ids: Collection[ObjectId], status: Status) -> None:
        waiting = {"_id": {"$in": [*instance_ids]}, "status": str(Status.PENDING)}
        self.collection.update_many(waiting, {"$set": {"status": str(status)}})

    def unprocessed(self, before_us: int, limit: int) -> list[Document]:
        """Those (id and time) of before ``before_us`` that no engine has seen to and that are due to be published
        again."""
        waiting = {
            "status": str(Status.PENDING),
            "occurrence_time": {"$lt": before_us},
            # Absent or past. Not by `$or`, for which the embedded database reads the whole collection.
            "republish_at": {"$not": {"$gte": now_us()}},
        }
        return list(self.collection.find(waiting, {"occurrence_time": 1}).limit(limit))

    def republished(self, instance_id: ObjectId, again_at: int) -> None:
        self.collection.update_one({"_id": instance_id}, {"$set": {"republish_at": again_at}})
