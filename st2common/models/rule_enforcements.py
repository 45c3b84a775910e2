"""Rule enforcements: that a rule matched an event, and what came of it. At most one for each rule and event.

The document in ``rule_enforcement_d_b``::

    _id                  ObjectId that follows from those of the trigger instance and the rule: see :func:`identity`
    rule                 {ref, uid, id}
    trigger_instance_id  text
    execution_id         text; absent where there is no execution
    failure_reason       absent where it succeeded
    enforced_at          microseconds since the epoch
    status               succeeded or failed
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import DESCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from st2common.clock import isoformat
from st2common.models.connection import DUPLICATE_KEY, Document

COLLECTION = "rule_enforcement_d_b"

SUCCEEDED, FAILED = "succeeded", "failed"

INDEXES = [
    IndexModel([("enforced_at", DESCENDING)], name="enforced_at"),
    IndexModel([("trigger_instance_id", DESCENDING)], name="trigger_instance_id"),
]


def identity(instance_id: ObjectId, rule_id: str) -> ObjectId:
    """The id of the enforcement of a rule for an event, and of the execution that it requests.

    It is the same whichever engine comes to it, and however often. Its time is that of the event.
    """
    digest = hashlib.sha256(instance_id.binary + rule_id.encode()).digest()
    return ObjectId(instance_id.binary[:4] + digest[:8])


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see: without what is not there."""
    shown = {
        "trigger_instance_id": stored["trigger_instance_id"],
        "execution_id": stored.get("execution_id"),
        "failure_reason": stored.get("failure_reason"),
        "rule": stored["rule"],
        "enforced_at": isoformat(stored["enforced_at"]),
        "status": stored["status"],
        "id": str(stored["_id"]),
    }
    return {name: value for name, value in shown.items() if value}


class RuleEnforcements:
    def __init__(self, database: Database[Document]) -> None:
        self.collection = database[COLLECTION]

    def ensure_indexes(self) -> None:
        self.collection.create_indexes(INDEXES)

    def get(self, enforcement_id: str) -> Document | None:
        wanted = ObjectId(enforcement_id) if ObjectId.is_valid(enforcement_id) else None
        return self.collection.find_one({"_id": wanted}) if wanted else None

    def existing(self, ids: Collection[ObjectId]) -> set[ObjectId]:
        """Those of these that are stored."""
        return {found["_id"] for found in self.collection.find({"_id": {"$in": [*ids]}}, {"_id": 1})} if ids else set()

    def insert(self, enforcements: Sequence[Document]) -> None:
        """Store what is not stored yet."""
        if not enforcements:
            return
        try:
            self.collection.insert_many(enforcements, ordered=False)
        except BulkWriteError as error:
            if any(fault["code"] != DUPLICATE_KEY for fault in error.details["writeErrors"]):
                raise
