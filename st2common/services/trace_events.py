"""Putting events into traces: the trigger instance, the rules that it matches, and what these start.

The trace of an event that nobody named one for has the id of the event. It is stored as soon as a rule matches: most
events match nothing, and cost no write.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from st2common.models.connection import DUPLICATE_KEY, Document
from st2common.models.executions import object_id
from st2common.models.traces import COLLECTION, EXECUTIONS, MAX_COMPONENTS, RULES, TRIGGER_INSTANCES
from st2common.services.traces import ensure_stored

LOG = logging.getLogger(__name__)

_KINDS = (EXECUTIONS, RULES, TRIGGER_INSTANCES)
_DEFAULT_TAG = "trigger_instance-"


def trace_of(instance: Mapping[str, Any]) -> ObjectId:
    """The id of the trace that a stored trigger instance belongs to."""
    return _named_trace(instance) or ObjectId(instance["_id"])


def record(database: Database[Document], matched: Sequence[tuple[Document, Sequence[tuple[Document, str]]]]) -> None:
    """Put events with the rules that they match and the executions that these start into their traces, before they do.

    ``matched``: trigger instances, each with its (rule in its API form, id of the execution). Repeating it changes
    nothing.
    """
    traces = [_trace(instance, matches) for instance, matches in matched if matches]
    named = {identity for instance, matches in matched if matches and (identity := _named_trace(instance))}
    for identity in named:
        ensure_stored(database, identity)
    stored = named | _begin(database, [trace for trace in traces if trace["_id"] not in named])
    _add(database, [trace for trace in traces if trace["_id"] in stored])


def _trace(instance: Document, matches: Sequence[tuple[Document, str]]) -> Document:
    """The trace of an event with nothing else in it than what follows from this event."""
    instance_id, at = str(instance["_id"]), instance["occurrence_time"]
    event = {"type": "trigger_instance", "id": instance_id}
    return {
        "_id": trace_of(instance),
        "trace_tag": _tag(instance),
        "start_timestamp": at,
        EXECUTIONS: [
            _item(execution_id, rule["action"]["ref"], at, {"type": "rule", "id": f"{rule['id']}:{instance_id}"})
            for rule, execution_id in matches
        ],
        RULES: [_item(rule["id"], rule["ref"], at, event) for rule, _ in matches],
        TRIGGER_INSTANCES: [_item(instance_id, instance["trigger"], at, {})],
    }


def _begin(database: Database[Document], traces: Sequence[Document]) -> set[ObjectId]:
    """Store new traces; the ids of those that are stored already."""
    if not traces:
        return set()
    try:
        database[COLLECTION].insert_many(traces, ordered=False)
    except BulkWriteError as error:
        return {traces[fault["index"]]["_id"] for fault in _duplicates(error)}
    return set()


def _add(database: Database[Document], traces: Sequence[Document]) -> None:
    """Add what is in these to the traces that are stored; one that is full stays as it is."""
    changes = []
    for trace in traces:
        room = {f"{kind}.{MAX_COMPONENTS - 1}": {"$exists": False} for kind in _KINDS}
        new = {name: trace[name] for name in ("trace_tag", "start_timestamp")}
        items = {kind: {"$each": trace[kind]} for kind in _KINDS}
        changes.append(UpdateOne({"_id": trace["_id"], **room}, {"$setOnInsert": new, "$addToSet": items}, upsert=True))
    try:
        if changes:
            database[COLLECTION].bulk_write(changes, ordered=False)
    except BulkWriteError as error:
        LOG.info("%d traces are full and stay as they are", len(_duplicates(error)))


def _duplicates(error: BulkWriteError) -> list[Document]:
    """The faults, each that a key was there already.

    Raises:
        BulkWriteError: there is another one.
    """
    faults: list[Document] = error.details["writeErrors"]
    if any(fault["code"] != DUPLICATE_KEY for fault in faults):
        raise error
    return faults


def remove_execution(database: Database[Document], instance: Mapping[str, Any], execution_id: str) -> None:
    """An execution did not come to be after all."""
    gone = {"$pull": {EXECUTIONS: {"object_id": execution_id}}}
    database[COLLECTION].update_one({"_id": trace_of(instance)}, gone)


def matches_before(database: Database[Document], instance: Mapping[str, Any], rule_id: str) -> int:
    """How often a rule has matched events of this trace before it matched this one."""
    found = database[COLLECTION].find_one({"_id": trace_of(instance)}, {RULES: 1}) or {}
    events = [item["caused_by"].get("id") for item in found.get(RULES) or () if item["object_id"] == rule_id]
    return events.index(str(instance["_id"])) if str(instance["_id"]) in events else len(events)


def _named_trace(instance: Mapping[str, Any]) -> ObjectId | None:
    named = (instance.get("trace_context") or {}).get("id_")
    return object_id(named) if isinstance(named, str) else None


def _tag(instance: Mapping[str, Any]) -> str:
    tag = (instance.get("trace_context") or {}).get("trace_tag")
    return tag if isinstance(tag, str) and tag else f"{_DEFAULT_TAG}{instance['_id']}"


def _item(identity: str, ref: str, at: int, cause: Document) -> Document:
    return {"object_id": identity, "ref": ref, "updated_at": at, "caused_by": cause}
