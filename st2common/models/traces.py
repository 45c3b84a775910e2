"""Traces: everything that followed from one event or one request.

The document in ``trace_d_b``::

    _id                 ObjectId
    trace_tag           the name that somebody gave it; need not be unique
    start_timestamp     microseconds since the epoch
    action_executions   [{object_id, ref, updated_at (microseconds), caused_by {id, type}}]
    rules               the same
    trigger_instances   the same
    joined              True where it was stored only because something has joined an execution without a named trace

Most executions are alone in their trace. Of those nothing is stored: the trace has the id of the execution and is made
from it when somebody looks (see :mod:`st2common.services.traces`).
"""

from __future__ import annotations

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.connection import Document

COLLECTION = "trace_d_b"

EXECUTIONS, RULES, TRIGGER_INSTANCES = "action_executions", "rules", "trigger_instances"

# Objects of one kind in one trace. A document of the database has a largest size.
MAX_COMPONENTS = 10_000

INDEXES = [
    IndexModel([("start_timestamp", DESCENDING)], name="start_timestamp"),
    IndexModel([("trace_tag", ASCENDING)], name="trace_tag"),
    IndexModel([(f"{EXECUTIONS}.object_id", ASCENDING)], name="action_executions_object_id"),
]


def component(object_id: str, ref: str, caused_by: Document | None = None) -> Document:
    return {"object_id": object_id, "ref": ref, "updated_at": now_us(), "caused_by": caused_by or {}}


class Traces:
    def __init__(self, database: Database[Document]) -> None:
        self.collection = database[COLLECTION]

    def ensure_indexes(self) -> None:
        self.collection.create_indexes(INDEXES)

    def get(self, trace_id: ObjectId) -> Document | None:
        return self.collection.find_one({"_id": trace_id})

    def begin(
        self, trace_id: ObjectId, tag: str, start_timestamp: int, executions: list[Document], *, joined: bool = False
    ) -> None:
        """Store a trace, if it is not stored yet."""
        trace: Document = {
            "trace_tag": tag,
            "start_timestamp": start_timestamp,
            EXECUTIONS: executions,
            RULES: [],
            TRIGGER_INSTANCES: [],
        }
        if joined:
            trace["joined"] = True
        self.collection.update_one({"_id": trace_id}, {"$setOnInsert": trace}, upsert=True)

    def add(self, trace_id: ObjectId, kind: str, item: Document) -> bool:
        """Add an object of this kind; whether there is such a trace. One that has it, or is full, stays as it is."""
        wanted: Document = {f"{kind}.{MAX_COMPONENTS - 1}": {"$exists": False}}
        wanted[f"{kind}.object_id"] = {"$ne": item["object_id"]}
        if self.collection.update_one({"_id": trace_id, **wanted}, {"$push": {kind: item}}).matched_count:
            return True
        return self.get(trace_id) is not None
