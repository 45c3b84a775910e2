"""What the end of an execution, and an inquiry that waits, say as events. Values in, events out."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId

from st2common.expressions import templates
from st2common.expressions.templates import TemplateError
from st2common.models.connection import Document
from st2common.models.execution_view import to_api
from st2common.models.statuses import COMPLETED, FAILED_STATUSES, Status
from st2common.models.trigger_types import ACTION, INQUIRY, NOTIFY
from st2common.services.inquiries import RUNNER as INQUIRER

LOG = logging.getLogger(__name__)

#: The triggers that executions fire.
TRIGGERS = (ACTION, NOTIFY, INQUIRY)

# Parts of ``notify`` -> the statuses that they are for, and how they end a sentence.
_PARTS = {
    "on-complete": (COMPLETED, "completed"),
    "on-success": (frozenset({Status.SUCCEEDED}), "succeeded"),
    "on-failure": (FAILED_STATUSES, "failed"),
}


@dataclass(frozen=True)
class ExecutionEvent:
    #: The same whoever dispatches it, and however often.
    instance_id: ObjectId
    trigger: str
    payload: Document


def of_execution(
    execution: Mapping[str, Any], wanted: Collection[str], emit_when: Collection[str], st2kv: Any
) -> Iterator[ExecutionEvent]:
    """The events of a stored execution as it is now, for the triggers in ``wanted``.

    ``emit_when``: the final statuses that the action trigger fires for. ``st2kv`` is what messages may read.
    """
    status = Status(execution["status"])
    if status is Status.PENDING and INQUIRY in wanted and execution["runner"]["name"] == INQUIRER:
        payload = {"id": str(execution["_id"]), "route": (execution.get("result") or {}).get("route") or ""}
        yield _event(execution, INQUIRY, payload)
    if status not in COMPLETED:
        return
    if ACTION in wanted and status in emit_when:
        yield _event(execution, ACTION, _end(execution))
    if NOTIFY in wanted:
        yield from _notifications(execution, status, st2kv)


def _end(execution: Mapping[str, Any]) -> Document:
    shown = to_api(execution)
    return {
        "execution_id": str(execution["_id"]),
        "status": execution["status"],
        "start_timestamp": _time(execution["start_timestamp"], " "),
        "action_name": execution["action"]["ref"],
        "action_ref": execution["action"]["ref"],
        "runner_ref": execution["runner"]["name"],
        "parameters": shown.get("parameters") or {},
        "result": shown.get("result") or {},
    }


def _notifications(execution: Mapping[str, Any], status: Status, st2kv: Any) -> Iterator[ExecutionEvent]:
    notify = (execution.get("liveaction") or {}).get("notify") or {}
    for part, (statuses, word) in _PARTS.items():
        section = notify.get(part)
        if not section or status not in statuses:
            continue
        told = _rendered(section, execution, st2kv)
        message = told.get("message") or f"Action {execution['action']['ref']} {word}."
        result = json.dumps(to_api(execution).get("result") or {})
        for route in section.get("routes") or section.get("channels") or ():
            payload = {
                "execution_id": str(execution["_id"]),
                "status": str(status),
                "start_timestamp": _time(execution["start_timestamp"], "T"),
                "end_timestamp": _time(execution["end_timestamp"], "T"),
                "action_ref": execution["action"]["ref"],
                "runner_ref": execution["runner"]["name"],
                "channel": route,
                "route": route,
                "message": message,
                "data": {"result": result, **(told.get("data") or {})},
            }
            yield _event(execution, NOTIFY, payload, part, str(route))


def _rendered(section: Mapping[str, Any], execution: Mapping[str, Any], st2kv: Any) -> Document:
    """Message and data with their templates filled in; as they are, where that cannot be."""
    words = {"message": section.get("message"), "data": section.get("data")}
    shown = to_api(execution)
    scope = {
        "st2kv": st2kv,
        "action_parameters": shown.get("parameters") or {},
        "action_context": execution["context"],
        "action_results": shown.get("result") or {},
    }
    try:
        return {name: templates.render(value, scope) for name, value in words.items()}
    except TemplateError as error:
        LOG.warning("The notification of execution %s cannot be rendered: %s", execution["_id"], error)
        return words


def _event(execution: Mapping[str, Any], trigger: str, payload: Document, *more: str) -> ExecutionEvent:
    identity: ObjectId = execution["_id"]
    names = "\0".join((trigger, str(execution["attempt"]), *more))
    digest = hashlib.sha256(identity.binary + names.encode()).digest()
    return ExecutionEvent(ObjectId(identity.binary[:4] + digest[:8]), trigger, payload)


def _time(us: int, separator: str) -> str:
    """The forms that payloads have always had: 2017-08-25 11:51:06.961844+00:00."""
    seconds, fraction = divmod(us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%d}{separator}{moment:%H:%M:%S}.{fraction:06d}+00:00"
