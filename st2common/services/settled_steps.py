"""Steps of workflows that need no runner (their action does nothing): they are stored as they end."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import bson
from bson import ObjectId
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from st2common.clock import now_us
from st2common.datastore.lookup import KeyAccess
from st2common.errors import ValidationError
from st2common.models import actions, policies
from st2common.models.connection import Document
from st2common.models.execution_view import result_size
from st2common.models.executions import COLLECTION
from st2common.models.statuses import Status
from st2common.services import traces
from st2common.services.events import ExecutionEvents
from st2common.services.execution_documents import Place, give_parameters, requested
from st2common.transport.port import Transport

LOG = logging.getLogger(__name__)

# What comes of an action that does nothing.
_NOTHING_DONE = {"failed": False, "succeeded": True, "return_code": 0}
_DUPLICATE_KEY = 11000

#: Bytes of the largest step that :func:`settle` gives.
MAX_BYTES = 16 * 1024


def needs_no_runner(execution: Mapping[str, Any]) -> bool:
    """Whether an execution is a step whose action does nothing."""
    runner = execution["runner"]
    return bool(execution.get("parent") and runner["name"] == "noop" and runner.get("enabled", True))


def settled(execution: Document) -> Document:
    """The document of such a step as it ends."""
    now = now_us()
    passed = (Status.SCHEDULED, Status.RUNNING, Status.SUCCEEDED)
    return {
        **execution,
        "status": str(Status.SUCCEEDED),
        "attempt": 1,
        "end_timestamp": now,
        "result": dict(_NOTHING_DONE),
        "result_size": result_size(_NOTHING_DONE),
        "log": [*execution["log"], *({"status": str(status), "timestamp": now} for status in passed)],
    }


def may_settle(action_ref: str) -> bool:
    """Whether :func:`settle` may have a step for this action."""
    action = actions.recent(action_ref) if "." in action_ref else None
    return bool(action and action["runner_type"] == "noop" and not policies.recently_enabled_for(action_ref))


def settle(
    database: Database[Document],
    *,
    action_ref: str,
    parameters: Mapping[str, Any],
    user: str,
    context: Mapping[str, Any],
    notify: Mapping[str, Any] | None,
    kept_secrets: Sequence[str],
    execution_id: ObjectId,
    place: Place,
    keys: KeyAccess,
) -> Document | None:
    """The document of a step as it ends, if it may begin now, needs no runner and is small; None for all others.

    Nothing is stored. The parameters are those of :func:`st2common.services.executions.request_execution`, and literal.
    """
    if not may_settle(action_ref):
        return None
    try:
        execution = requested(
            action_ref,
            user=user,
            context=context,
            notify=notify,
            kept_secrets=kept_secrets,
            execution_id=execution_id,
            place=place,
        )
        give_parameters(database, execution, parameters, literal=True, keys=keys)
        step = settled(execution)
        small = len(bson.encode(step)) <= MAX_BYTES
    except (ValidationError, BSONError, OverflowError, UnicodeEncodeError):
        # Whoever requests it says so.
        return None
    return step if small and needs_no_runner(step) else None


def store_settled(
    database: Database[Document], transport: Transport, steps: Sequence[Document], web_base_url: str | None = None
) -> None:
    """Store steps of :func:`settle` that are not stored yet, and tell about them."""
    if not steps:
        return
    for step in steps:
        try:
            traces.join(database, step)
        except ValidationError as error:
            LOG.warning("Step %s is in no trace: %s", step["_id"], error)
    stored_before: set[int] = set()
    try:
        database[COLLECTION].insert_many(steps, ordered=False)
    except BulkWriteError as error:
        failures = error.details["writeErrors"]
        if any(failure["code"] != _DUPLICATE_KEY for failure in failures):
            raise
        stored_before = {failure["index"] for failure in failures}
    events = ExecutionEvents(transport, web_base_url)
    for number, step in enumerate(steps):
        if number not in stored_before:
            events.settled(_as_requested(step), step)


def _as_requested(step: Mapping[str, Any]) -> Document:
    since = ("end_timestamp", "result", "result_size")
    before = {name: value for name, value in step.items() if name not in since}
    return {**before, "status": str(Status.REQUESTED), "attempt": 0, "log": step["log"][:1]}
