"""Executions that a retry policy waits for the end of.

The document in ``policy_retry_d_b``::

    _id     id of the execution
    next    the id that its retry will have: made once, so that however many try to make the retry, there is one
    since   microseconds since the epoch
"""

from __future__ import annotations

from collections.abc import Iterator

from bson import ObjectId
from pymongo import ASCENDING
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.connection import Document

COLLECTION = "policy_retry_d_b"

_PAGE = 500


class PolicyRetries:
    def __init__(self, database: Database[Document]) -> None:
        self.collection = database[COLLECTION]

    def watch(self, execution_id: ObjectId) -> None:
        """Note an execution, before it is stored: a crash in between leaves a note of nothing, which is forgotten."""
        note = {"$setOnInsert": {"next": ObjectId(), "since": now_us()}}
        self.collection.update_one({"_id": execution_id}, note, upsert=True)

    def pages(self) -> Iterator[list[Document]]:
        """All notes, a page at a time."""
        after: Document = {}
        while page := list(self.collection.find(after).sort("_id", ASCENDING).limit(_PAGE)):
            yield page
            after = {"_id": {"$gt": page[-1]["_id"]}}

    def forget(self, execution_id: ObjectId) -> None:
        self.collection.delete_one({"_id": execution_id})
