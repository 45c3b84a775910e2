"""Timers: when each is due next. A timer is a trigger of a type of :data:`.trigger_types.TIMERS`.

The document in ``timer_d_b``::

    _id            the trigger's id
    uid            the trigger's, which says its parameters: with others it begins anew
    since          microseconds since the epoch: when it was seen first, from when on an interval counts
    next_at        microseconds since the epoch; None: never again
    last_fired_at  microseconds since the epoch: the time that it was due, the last time that it fired
    error          why it will not fire; None where nothing is wrong
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pymongo.database import Database

from st2common.clock import isoformat
from st2common.models.connection import Document

COLLECTION = "timer_d_b"


def to_api(stored: Mapping[str, Any]) -> Document:
    """What clients see beside the trigger, as ``timer``."""
    return {
        "next_at": isoformat(stored["next_at"]) if stored["next_at"] else None,
        "last_fired_at": isoformat(stored["last_fired_at"]) if stored["last_fired_at"] else None,
        "error": stored["error"],
    }


class Timers:
    def __init__(self, database: Database[Document]) -> None:
        self._collection = database[COLLECTION]

    def find(self, trigger_ids: Collection[str] | None = None) -> dict[str, Document]:
        """{trigger id: timer}, of these triggers (all)."""
        condition: Document = {} if trigger_ids is None else {"_id": {"$in": sorted(trigger_ids)}}
        return {timer["_id"]: timer for timer in self._collection.find(condition)}

    def put(self, timer: Document) -> None:
        self._collection.replace_one({"_id": timer["_id"]}, timer, upsert=True)

    def change(self, trigger_id: str, **fields: Any) -> None:
        self._collection.update_one({"_id": trigger_id}, {"$set": fields})

    def remove(self, trigger_ids: Collection[str]) -> None:
        self._collection.delete_many({"_id": {"$in": sorted(trigger_ids)}})
