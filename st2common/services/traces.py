"""Which trace an execution belongs to, and looking traces up: the stored ones, and those that are made from executions.

An execution belongs to the trace that its context names by id. With a tag, and without either, it begins a trace of
its own, which has the execution's id. That one is stored when it has a tag, or as soon as something joins it: a plain
execution costs no write.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from st2common.clock import isoformat
from st2common.errors import NotFound, ValidationError
from st2common.models import rule_enforcements
from st2common.models import traces as model
from st2common.models.connection import Document
from st2common.models.executions import COLLECTION, liveaction_id, object_id
from st2common.models.traces import EXECUTIONS, RULES, TRIGGER_INSTANCES, Traces, component

# Characters.
_LONGEST_TAG = 1024
# The tag of a trace that nobody named; the rest is the id of the live action.
_DEFAULT_TAG = "execution-"
# A tree of executions that is deeper than this is one that refers to itself.
_MAX_DEPTH = 64

# Executions that have begun a trace of their own without a name: it is stored only if something has joined it.
_ALONE = {"context.trace_context": None, "parent": None}
_READ = {"action.ref": 1, "liveaction.id": 1, "start_timestamp": 1, "context": 1, "parent": 1}


def trace_id(execution: Mapping[str, Any]) -> str:
    """The id of the trace that a stored execution belongs to."""
    context = execution["context"].get("trace_context") or {}
    return str(context.get("id_") or execution["_id"])


def join(database: Database[Document], execution: Mapping[str, Any]) -> None:
    """Put an execution that is going to be stored into the trace that its context asks for.

    Raises:
        ValidationError: there is no such trace, or the context names it in another form.
    """
    wanted = execution["context"].get("trace_context")
    if not wanted or _follows_from_rule(execution):
        return
    tag, identity = _checked(wanted)
    traces = Traces(database)
    if identity is None:
        traces.begin(execution["_id"], tag, execution["start_timestamp"], [_component(execution)])
    elif not traces.add(identity, EXECUTIONS, _component(execution)):
        _begin_from_execution(database, traces, identity)
        traces.add(identity, EXECUTIONS, _component(execution))


def ensure_stored(database: Database[Document], identity: ObjectId) -> None:
    """Store the trace that an execution has begun, if it is one that is not stored yet."""
    traces = Traces(database)
    if traces.get(identity) is None:
        with contextlib.suppress(ValidationError):
            _begin_from_execution(database, traces, identity)


def get_trace(database: Database[Document], identity: str) -> Document:
    """A trace in its API form.

    Raises:
        NotFound: there is none.
    """
    wanted = object_id(identity)
    stored = Traces(database).get(wanted) if wanted else None
    if stored is not None:
        return _to_api(stored)
    execution = database[COLLECTION].find_one({"_id": wanted, **_ALONE}, _READ) if wanted else None
    if execution is None:
        raise NotFound(f'Unable to identify resource with id "{identity}".')
    return _to_api(_of_executions(database, [execution])[0])


def find_traces(
    database: Database[Document],
    filters: Mapping[str, str],
    *,
    oldest_first: bool,
    limit: int | None,
    offset: int,
) -> tuple[list[Document], int]:
    """A page of traces in their API form, in order of their start, and the count of all matches.

    ``filters``: trace_tag, execution, rule and trigger_instance (ids); others are ignored.
    """
    stored, alone = _conditions(filters)
    order = [("start_timestamp", ASCENDING if oldest_first else DESCENDING), ("_id", DESCENDING)]
    end = 0 if limit is None else offset + limit
    collections = database[model.COLLECTION], database[COLLECTION]
    found = list(collections[0].find(stored).sort(order).limit(end))
    total = collections[0].count_documents(stored)
    if alone is not None:
        executions = list(collections[1].find(alone, _READ).sort(order).limit(end))
        # Something has joined these: they are among the stored ones.
        ids = {"_id": {"$in": [execution["_id"] for execution in executions]}}
        joined = {trace["_id"] for trace in collections[0].find(ids, {"_id": 1})}
        found += _of_executions(database, [execution for execution in executions if execution["_id"] not in joined])
        total += collections[1].count_documents(alone) - collections[0].count_documents({**stored, "joined": True})
    found.sort(key=lambda trace: int(trace["start_timestamp"]), reverse=not oldest_first)
    return [_to_api(trace) for trace in found[offset : end or None]], total


def _follows_from_rule(execution: Mapping[str, Any]) -> bool:
    """Whether it is the one execution of a rule for an event: the engine has put it into the trace before."""
    context = execution["context"]
    rule, instance = context.get("rule") or {}, context.get("trigger_instance") or {}
    event = object_id(str(instance.get("id")))
    return event is not None and execution["_id"] == rule_enforcements.identity(event, str(rule.get("id")))


def _checked(wanted: Any) -> tuple[str, ObjectId | None]:
    """The tag, or the id, that ``trace_context`` names."""
    if not isinstance(wanted, Mapping):
        raise ValidationError("trace_context: an object with trace_tag or id_ is expected")
    tag, given = wanted.get("trace_tag"), wanted.get("id_")
    if given:
        identity = object_id(given) if isinstance(given, str) else None
        if identity is None:
            raise ValidationError(f'Trace with id "{str(given)[:100]}" is not found.')
        return "", identity
    if not isinstance(tag, str) or not 0 < len(tag) <= _LONGEST_TAG:
        raise ValidationError(f"trace_context: trace_tag must be a text of 1 to {_LONGEST_TAG} characters")
    return tag, None


def _begin_from_execution(database: Database[Document], traces: Traces, identity: ObjectId) -> None:
    """Store the trace that an execution has begun."""
    execution = database[COLLECTION].find_one({"_id": identity, **_ALONE}, _READ)
    if execution is None:
        raise ValidationError(f'Trace with id "{identity}" is not found.')
    trace = _of_executions(database, [execution])[0]
    traces.begin(identity, trace["trace_tag"], trace["start_timestamp"], trace[EXECUTIONS], joined=True)


def _conditions(filters: Mapping[str, str]) -> tuple[Document, Document | None]:
    """What to look for among the stored traces, and among the executions that are alone; None: nothing."""
    stored: Document = {}
    alone: Document | None = dict(_ALONE)
    for name, kind in (("rule", RULES), ("trigger_instance", TRIGGER_INSTANCES)):
        if value := filters.get(name):
            stored[f"{kind}.object_id"] = value
            alone = None
    if execution := filters.get("execution"):
        stored[f"{EXECUTIONS}.object_id"] = execution
        alone = alone and {**alone, "_id": object_id(execution)}
    if tag := filters.get("trace_tag"):
        stored["trace_tag"] = tag
        run = object_id(tag.removeprefix(_DEFAULT_TAG)) if tag.startswith(_DEFAULT_TAG) else None
        alone = {**alone, "_id": object_id(liveaction_id(str(run)))} if alone and run else None
    return stored, alone


def _of_executions(database: Database[Document], roots: Sequence[Document]) -> list[Document]:
    """Traces as they would be stored, of executions that nobody has named a trace for, with all that they started."""
    traces = {
        str(root["_id"]): {
            "_id": root["_id"],
            "trace_tag": f"{_DEFAULT_TAG}{root['liveaction']['id']}",
            "start_timestamp": root["start_timestamp"],
            EXECUTIONS: [_component(root)],
        }
        for root in roots
    }
    level = {identity: identity for identity in traces}  # {execution: its root}
    for _ in range(_MAX_DEPTH):
        if not level:
            break
        children = list(database[COLLECTION].find({"parent": {"$in": [*level]}}, _READ))
        for child in children:
            traces[level[child["parent"]]][EXECUTIONS].append(_component(child))
        level = {str(child["_id"]): level[child["parent"]] for child in children}
    return list(traces.values())


def _component(execution: Mapping[str, Any]) -> Document:
    item = component(str(execution["_id"]), execution["action"]["ref"], _cause(execution))
    return {**item, "updated_at": execution["start_timestamp"]}


def _cause(execution: Mapping[str, Any]) -> Document:
    context = execution["context"]
    rule, instance = context.get("rule") or {}, context.get("trigger_instance") or {}
    if rule.get("id"):
        return {"type": "rule", "id": f"{rule['id']}:{instance.get('id')}"}
    if parent := execution.get("parent"):
        return {"type": "action_execution", "id": parent}
    return {}


def _to_api(trace: Mapping[str, Any]) -> Document:
    identity = str(trace["_id"])
    return {
        "uid": f"trace:{hashlib.sha256(identity.encode()).hexdigest()[:32]}",
        "trace_tag": trace["trace_tag"],
        **{
            kind: [{**item, "updated_at": isoformat(item["updated_at"])} for item in trace.get(kind) or ()]
            for kind in (TRIGGER_INSTANCES, RULES, EXECUTIONS)
        },
        "start_timestamp": isoformat(trace["start_timestamp"]),
        "id": identity,
    }
