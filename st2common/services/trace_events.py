"""Putting events into traces: the trigger instance, the rules that it matches, and what these start.

The trace of an event that nobody named one for has the id of the event. It is stored as soon as a rule matches: most
events match nothing, and cost no write.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.models.connection import Document
from st2common.models.executions import object_id
from st2common.models.traces import COLLECTION, EXECUTIONS, MAX_COMPONENTS, RULES, TRIGGER_INSTANCES
from st2common.services.traces import ensure_stored

LOG = logging.getLogger(__name__)

_DEFAULT_TAG = "trigger_instance-"


def trace_of(instance: Mapping[str, Any]) -> ObjectId:
    """The id of the trace that a stored trigger instance belongs to."""
    return _named_trace(instance) or ObjectId(instance["_id"])


def record(database: Database[Document], instance: Mapping[str, Any], matches: Sequence[tuple[Document, str]]) -> None:
    """Put an event with the rules that it matches and the executions that these start into its trace, before they do.

    ``matches``: (rule in its API form, id of the execution). Repeating it changes nothing.
    """
    named, instance_id, at = _named_trace(instance), str(instance["_id"]), instance["occurrence_time"]
    if named:
        ensure_stored(database, named)
    found: dict[str, list[Document]] = {RULES: [], EXECUTIONS: []}
    for rule, execution_id in matches:
        started = {"type": "rule", "id": f"{rule['id']}:{instance_id}"}
        matched = {"type": "trigger_instance", "id": instance_id}
        found[RULES].append(_item(rule["id"], rule["ref"], at, matched))
        found[EXECUTIONS].append(_item(execution_id, rule["action"]["ref"], at, started))
    identity = trace_of(instance)
    change = {
        "$setOnInsert": {"trace_tag": _tag(instance), "start_timestamp": at},
        "$addToSet": {
            TRIGGER_INSTANCES: _item(instance_id, instance["trigger"], at, {}),
            **{kind: {"$each": items} for kind, items in found.items()},
        },
    }
    room = {f"{kind}.{MAX_COMPONENTS - 1}": {"$exists": False} for kind in (TRIGGER_INSTANCES, *found)}
    try:
        database[COLLECTION].update_one({"_id": identity, **room}, change, upsert=True)
    except DuplicateKeyError:
        LOG.info("Trace %s is full and stays as it is", identity)


def remove_execution(database: Database[Document], instance: Mapping[str, Any], execution_id: str) -> None:
    """An execution did not come to be after all."""
    gone = {"$pull": {EXECUTIONS: {"object_id": execution_id}}}
    database[COLLECTION].update_one({"_id": trace_of(instance)}, gone)


def times_in_trace(database: Database[Document], instance: Mapping[str, Any], rule_id: str) -> int:
    """How often a rule has matched events of this trace."""
    found = database[COLLECTION].find_one({"_id": trace_of(instance)}, {RULES: 1}) or {}
    return sum(item["object_id"] == rule_id for item in found.get(RULES) or ())


def _named_trace(instance: Mapping[str, Any]) -> ObjectId | None:
    named = (instance.get("trace_context") or {}).get("id_")
    return object_id(named) if isinstance(named, str) else None


def _tag(instance: Mapping[str, Any]) -> str:
    tag = (instance.get("trace_context") or {}).get("trace_tag")
    return tag if isinstance(tag, str) and tag else f"{_DEFAULT_TAG}{instance['_id']}"


def _item(identity: str, ref: str, at: int, cause: Document) -> Document:
    return {"object_id": identity, "ref": ref, "updated_at": at, "caused_by": cause}
