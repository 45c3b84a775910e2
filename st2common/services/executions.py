"""The verbs that begin an execution: request one, also as a step of a workflow, release those that were to start later.

Each stores the execution first, tells about it, and then queues it. When the broker does not take it, the execution
stays as it is stored and the sweeper queues it again.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, WriteError

from st2common.clock import now_us
from st2common.datastore.crypto import KeyFile
from st2common.datastore.lookup import KeyLookup
from st2common.errors import ValidationError
from st2common.expressions.templates import TemplateError
from st2common.models import actions, policies, runner_types
from st2common.models.connection import Document
from st2common.models.execution_view import result_size
from st2common.models.executions import Executions, liveaction_id
from st2common.models.statuses import Status
from st2common.output.mongo_log import MongoOutputLog
from st2common.services import parameters as action_parameters
from st2common.services import retry_notes, traces
from st2common.services.admission import Admission, slots_of
from st2common.services.events import ExecutionEvents
from st2common.services.log_end import end_log
from st2common.services.pack_configs import PackConfig, secrets_used
from st2common.services.work_queue import queue_execution
from st2common.transport.port import Transport

# Characters of a secret that tell something about it, and of the longest secret whose parts are looked for.
_QUOTE = 4
_LONGEST_SEARCHED = 64 * 1024

# What comes of an action that does nothing.
_NOTHING_DONE = {"failed": False, "succeeded": True, "return_code": 0}


@dataclass(frozen=True)
class Place:
    """Where an execution belongs that is a step of a workflow."""

    #: The execution of the workflow.
    parent: str
    #: Of the orquesta task; None in a chain.
    task_execution: str | None = None
    workflow_execution: str | None = None

    def fields(self) -> Document:
        """The fields of the execution that say so."""
        named = {"task_execution": self.task_execution, "workflow_execution": self.workflow_execution}
        return {"parent": self.parent, **{name: value for name, value in named.items() if value}}


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
    key_file: KeyFile | None = None,
    web_base_url: str | None = None,
) -> Document:
    """Accept an execution: check everything, store it, tell about it, queue it. The stored document.

    ``delay`` (milliseconds) postpones its start; so do the policies of the action, or they cancel it at once.
    ``kept`` are parameters of an earlier execution that hold where ``parameters`` has no other value, and
    ``kept_secrets`` what was decrypted for them. ``names`` are more that templates may use, and that are not templates
    themselves: ``{"trigger": <payload>}``. ``notify`` says who is told how it ended; what the action says holds
    without it. ``execution_id`` is for who has to make this execution once, however often it tries. ``place`` is that
    of a step of a workflow; one whose action does nothing has ended when this returns. ``literal``: the parameters are
    what they are, also where they look like templates. ``key_file`` decrypts the secrets of the datastore that
    templates ask for.

    Raises:
        TemplateError: a parameter could not be rendered; the execution exists, as failed.
        ValidationError: there is no such action, it is disabled, it does not take these parameters, or there is no
            trace of the id that the context names. Nothing exists.
        DuplicateKeyError: there is an execution with this id.
    """
    action, runner_type = _runnable(action_ref)
    owned = {**(context or {}), "user": user, "pack": action["pack"]}
    execution = _document(action, runner_type, owned, execution_id or ObjectId(), place)
    if delay:
        execution["delay"] = delay
    if routes := notify or action.get("notify"):
        execution["liveaction"]["notify"] = dict(routes)
    if kept_secrets:
        execution["decrypted"] = list(kept_secrets)
    st2kv = KeyLookup(database, key_file or KeyFile(), execution["context"])
    config = PackConfig(action["pack"], KeyLookup(database, key_file or KeyFile(), execution["context"]))
    to_render, values = ({}, {**(kept or {}), **parameters}) if literal else (parameters, kept)
    try:
        with _telling_no_secrets(st2kv):
            live = action_parameters.live_parameters(
                action,
                runner_type,
                to_render,
                execution["context"],
                kept=values,
                config=config,
                st2kv=st2kv,
                names=names,
            )
    except TemplateError as error:
        events = ExecutionEvents(transport, web_base_url)
        _store_failed(database, transport, events, execution, {**(kept or {}), **parameters}, error)
        raise
    if not action["enabled"]:
        raise ValidationError(f'Unable to execute. Action "{action_ref}" is disabled.')
    with _telling_no_secrets(st2kv):
        action_parameters.validate(action, runner_type, live, parameters)
    execution["parameters"] = live
    if decrypted := [*st2kv.decrypted, *secrets_used(config, live)]:
        execution["decrypted"] = list(dict.fromkeys([*kept_secrets, *decrypted]))
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
    execution = _document(action, runner_type, {**context, "pack": action["pack"]}, execution_id, place)
    _store_failed(database, transport, ExecutionEvents(transport, web_base_url), execution, {}, error)
    return execution


def release_delayed(database: Database[Document], transport: Transport, limit: int = 100) -> int:
    """Queue the executions whose delay is over, or have them wait for what the policies of their action ask; how many
    there were. Safe to call from several processes at once."""
    return Admission(database, transport).release_due(limit)


@contextmanager
def _telling_no_secrets(st2kv: KeyLookup) -> Iterator[None]:
    """Errors quote values, cut and escaped: one that may quote a decrypted value says nothing."""
    try:
        yield
    except ValidationError as error:
        if not any(_may_quote(str(error), secret) for secret in st2kv.decrypted):
            raise
        raise type(error)("The parameters are not valid. The reason is not told: it quotes a secret.") from None


def _may_quote(message: str, secret: str) -> bool:
    """Whether any few characters of the secret stand in the message."""
    if not _QUOTE <= len(secret) <= _LONGEST_SEARCHED:
        return True
    return any(secret[start : start + _QUOTE] in message for start in range(len(secret) - _QUOTE + 1))


def _runnable(action_ref: str) -> tuple[Document, Document]:
    action = actions.recent(action_ref) if "." in action_ref else None
    if action is None:
        raise ValidationError(f'Action "{action_ref}" cannot be found.')
    runner_type = runner_types.recent(action["runner_type"])
    if runner_type is None:
        raise ValidationError(f'Runner type "{action["runner_type"]}" of action "{action_ref}" cannot be found.')
    return action, runner_type


def _document(
    action: Document, runner_type: Document, context: Document, identity: ObjectId, place: Place | None
) -> Document:
    now = now_us()
    return {
        "_id": identity,
        "status": str(Status.REQUESTED),
        "action": action,
        "runner": runner_type,
        "liveaction": {"id": liveaction_id(str(identity)), "callback": {}, "runner_info": {}},
        "context": context,
        "parameters": {},
        "log": [{"status": str(Status.REQUESTED), "timestamp": now}],
        "start_timestamp": now,
        "attempt": 0,
        **(place.fields() if place else {}),
    }


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
    if execution.get("parent") and not (delay or slots) and _does_nothing(execution):
        # A step that needs no runner is stored once, as it ends.
        ended = _done(execution)
        _insert(database, ended)
        events.settled(execution, ended)
        return ended
    _insert(database, execution)
    if slots and not delay:
        execution = Admission(database, transport, web_base_url).begin(execution, slots)
    events.created(execution)
    if execution["status"] == Status.REQUESTED:
        queue_execution(transport, execution)
    return execution


def _does_nothing(execution: Document) -> bool:
    return bool(execution["runner"]["name"] == "noop" and execution["runner"].get("enabled", True))


def _done(execution: Document) -> Document:
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
    _insert(database, execution)
    end_log(MongoOutputLog(database), transport, execution)
    events.created(execution)


def _insert(database: Database[Document], execution: Document) -> None:
    try:
        traces.join(database, execution)
        Executions(database).insert(execution)
    except DuplicateKeyError:
        raise
    except (BSONError, OverflowError, UnicodeEncodeError, WriteError) as error:
        # Integers of more than 64 bits, keys with a NUL, half a surrogate pair, 16 MiB: JSON has them, BSON does not.
        raise ValidationError(f"The execution cannot be stored: {error}") from error
