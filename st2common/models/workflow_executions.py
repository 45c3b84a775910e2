"""The progress of workflows: one document for each workflow execution, changed by compare-and-set only.

The document in ``workflow_execution_d_b``::

    _id          ObjectId: that of the execution
    revision     1, 2, 3 ...: counts the changes; each names the one that it was made from
    definition   text of the file, as it was when the workflow began: it is followed to the end
    state        what the conductor remembers, as JSON text: it has names and numbers that the database does not take
    status       of the workflow
    result       of the workflow, as JSON text: from its end until its execution has it
    secrets      [text]: what expressions have decrypted, in clear, to be masked in the steps
    settled      [execution]: steps that were decided to have ended with this revision, and that may not be stored yet
    earlier      [id]: executions whose steps count as its own, the last first: it goes on with what they have begun
    look_at      microseconds since the epoch: when an engine looks whether it has missed anything; absent after the end
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.models.connection import Document

COLLECTION = "workflow_execution_d_b"

INDEXES = [IndexModel([("look_at", ASCENDING)], name="look_at", sparse=True)]


class WorkflowExecutions:
    def __init__(self, database: Database[Document]) -> None:
        self._collection = database[COLLECTION]

    def ensure_indexes(self) -> None:
        self._collection.create_indexes(INDEXES)

    def get(self, execution_id: str, projection: Mapping[str, int] | None = None) -> Document | None:
        return self._collection.find_one({"_id": ObjectId(execution_id)}, projection)

    def insert(self, document: Document) -> bool:
        """Store the first revision; False where there is one."""
        try:
            self._collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def change(self, workflow: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
        """Make the next revision from ``workflow``; False where somebody else has made one."""
        place = {"_id": workflow["_id"], "revision": workflow["revision"]}
        change = {"$set": {**fields, "revision": workflow["revision"] + 1}}
        return bool(self._collection.update_one(place, change).matched_count)

    def due(self, now: int, limit: int) -> list[Document]:
        """Those that are to be looked at: id, ``look_at``, status."""
        found = self._collection.find({"look_at": {"$lte": now}}, {"look_at": 1, "status": 1})
        return list(found.sort("look_at", ASCENDING).limit(limit))

    def take(self, due: Mapping[str, Any], next_look: int) -> bool:
        """Be the one who looks at it; False where another engine does."""
        place = {"_id": due["_id"], "look_at": due["look_at"]}
        return bool(self._collection.update_one(place, {"$set": {"look_at": next_look}}).matched_count)

    def look_soon(self, execution_id: str, now: int) -> None:
        """Have somebody look at an unfinished one, should the message about it be lost."""
        place = {"_id": ObjectId(execution_id), "look_at": {"$exists": True}}
        self._collection.update_one(place, {"$set": {"look_at": now}})

    def continued_by(self, execution_ids: Collection[str]) -> list[str]:
        """The executions whose steps count as those of these."""
        ids = [ObjectId(execution_id) for execution_id in execution_ids]
        found = self._collection.find({"_id": {"$in": ids}}, {"earlier": 1}) if ids else ()
        return [earlier for workflow in found for earlier in workflow.get("earlier", ())]

    def close(self, execution_id: str) -> None:
        """Its execution has ended, and has its result: nobody has to look any more."""
        self._collection.update_one(
            {"_id": ObjectId(execution_id)}, {"$unset": {"look_at": "", "result": "", "settled": ""}}
        )

    def delete(self, execution_ids: Sequence[str]) -> None:
        self._collection.delete_many({"_id": {"$in": [ObjectId(execution_id) for execution_id in execution_ids]}})
