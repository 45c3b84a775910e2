"""The verbs that begin an execution: request one, also as a step of a workflow, release those that were to start later.

Each stores the execution first, tells about it, and then queues it. When the broker does not take it, the execution
stays as it is stored and the sweeper queues it again.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo.database import Database

from st2common.clock import now_us
from st2common.datastore.lookup import KeyAccess
from st2common.errors import ValidationError
from st2common.expressions.templates import TemplateError
from st2common.models import actions, policies, runner_types
from st2common.models.connection import Document
from st2common.models.execution_view import result_size
from st2common.models.statuses import Status
from st2common.output.mongo_log import MongoOutputLog
from st2common.services import retry_notes
from st2common.services.admission import Admission, slots_of
from st2common.services.events import ExecutionEvents
from st2common.services.execution_documents import Place, execution_document, give_parameters, insert, requested
from st2common.services.log_end import end_log
from st2common.services.settled_steps import needs_no_runner, settled
from st2common.services.work_queue import queue_execution
from st2common.transport.port import Transport


def request_execution(
    database: Database[Document],
    transport: Transport,
    *,
    action_ref: str,
    parameters: Mapping[str, Any],
    user: str,
    context: Mapping[str, Any] | None = None,
    delay: int | None = None,
    notify: Mapping[str, Any] | None = None,
    kept: Mapping[str, Any] | None = None,
    kept_secrets: Sequence[str] = (),
    names: Mapping[str, Any] | None = None,
    execution_id: ObjectId | None = None,
    place: Place | None = None,
    literal: bool = False,
    keys: KeyAccess | None = None,
    web_base_url: str | None = None,
) -> Document:
    """Accept an execution: check everything, store it, tell about it, queue it. The stored document.

    ``delay`` (milliseconds) postpones its start; so do the policies of the action, or they cancel it at once.
    ``kept`` are parameters of an earlier execution that hold where ``parameters`` has no other value, and
    ``kept_secrets`` what was decrypted for them. ``names`` are more that templates may use, and that are not templates
    themselves: ``{"trigger": <payload>}``. ``notify`` says who is told how it ended; what the action says holds
    without it. ``execution_id`` is for who has to make this execution once, however often it tries. ``place`` is that
    of a step of a workflow; one whose action does nothing has ended when this returns. ``literal``: the parameters are
    what they are, also where they look like templates. ``keys`` says which keys of the datastore templates may
    read, and decrypts.

    Raises:
        TemplateError: a parameter could not be rendered; the execution exists, as failed.
        ValidationError: there is no such action, it is disabled, it does not take these parameters, or there is no
            trace of the id that the context names. Nothing exists.
        DuplicateKeyError: there is an execution with this id.
    """
    execution = requested(
        action_ref,
        user=user,
        context=context,
        notify=notify,
        kept_secrets=kept_secrets,
        execution_id=execution_id,
        place=place,
    )
    if delay:
        execution["delay"] = delay
    try:
        give_parameters(database, execution, parameters, kept=kept, names=names, literal=literal, keys=keys)
    except TemplateError as error:
        events = ExecutionEvents(transport, web_base_url)
        _store_failed(database, transport, events, execution, {**(kept or {}), **parameters}, error)
        raise
    return _accept(database, transport, execution, web_base_url)


def refuse_step(
    database: Database[Document],
    transport: Transport,
    *,
    execution_id: ObjectId,
    place: Place,
    action_ref: str,
    context: Mapping[str, Any],
    error: ValidationError,
    web_base_url: str | None = None,
) -> Document:
    """Store a step of a workflow that cannot be requested, as one that has failed: the failure stands where the step
    would. Its parameters are not kept: they may be what is wrong.

    Raises:
        DuplicateKeyError: there is an execution with this id.
    """
    pack, _, name = action_ref.partition(".")
    action = actions.recent(action_ref) if name else None
    action = action or {"ref": action_ref, "pack": pack, "name": name or pack, "runner_type": "", "parameters": {}}
    runner_type = runner_types.recent(action["runner_type"]) or {"name": action["runner_type"]}
    execution = execution_document(action, runner_type, {**context, "pack": action["pack"]}, execution_id, place)
    _store_failed(database, transport, ExecutionEvents(transport, web_base_url), execution, {}, error)
    return execution


def release_delayed(database: Database[Document], transport: Transport, limit: int = 100) -> int:
    """Queue the executions whose delay is over, or have them wait for what the policies of their action ask; how many
    there were. Safe to call from several processes at once."""
    return Admission(database, transport).release_due(limit)


def _accept(
    database: Database[Document],
    transport: Transport,
    execution: Document,
    web_base_url: str | None,
) -> Document:
    """Store an execution that was found right, ask the policies of its action, tell about it, and queue it."""
    limits = policies.recently_enabled_for(execution["action"]["ref"])
    slots = slots_of(execution, limits)
    retry_notes.watch(database, execution, limits)
    delay = execution.get("delay")
    if delay:
        # The policies are asked when it is over.
        _postpone(execution, delay)
    elif slots:
        execution |= {"status": str(Status.DELAYED), "waits_for": slots[0].key}
    events = ExecutionEvents(transport, web_base_url)
    if not (delay or slots) and needs_no_runner(execution):
        ended = settled(execution)
        insert(database, ended)
        events.settled(execution, ended)
        return ended
    insert(database, execution)
    if slots and not delay:
        execution = Admission(database, transport, web_base_url).begin(execution, slots)
    events.created(execution)
    if execution["status"] == Status.REQUESTED:
        queue_execution(transport, execution)
    return execution


def _postpone(execution: Document, delay: int) -> None:
    execution["status"] = str(Status.DELAYED)
    execution["log"].append({"status": str(Status.DELAYED), "timestamp": execution["start_timestamp"]})
    execution["not_before"] = execution["start_timestamp"] + delay * 1000


def _store_failed(
    database: Database[Document],
    transport: Transport,
    events: ExecutionEvents,
    execution: Document,
    parameters: Mapping[str, Any],
    error: ValidationError,
) -> None:
    """An execution that ends before it begins, so that its failure can be found where people look for it."""
    now = now_us()
    result = {"error": str(error), "traceback": "".join(traceback.format_exception(error))}
    execution |= {
        "status": str(Status.FAILED),
        "parameters": dict(parameters),
        "end_timestamp": now,
        "result": result,
        "result_size": result_size(result),
    }
    execution["log"].append({"status": str(Status.FAILED), "timestamp": now})
    insert(database, execution)
    end_log(MongoOutputLog(database), transport, execution)
    events.created(execution)
