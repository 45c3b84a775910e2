"""The verbs that begin an execution: request one, repeat one, release those that were to start later.

Each stores the execution first, tells about it, and then queues it. When the broker does not take it, the execution
stays as it is stored and the sweeper queues it again.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bson import ObjectId
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, WriteError

from st2common.clock import now_us
from st2common.datastore.crypto import KeyFile
from st2common.datastore.lookup import KeyLookup
from st2common.errors import NotFound, ValidationError
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

# Runner types whose executions can be repeated from a task on.
_WORKFLOWS = frozenset({"orquesta", "orchestra"})


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
    execution_id: ObjectId | None = None,
    key_file: KeyFile | None = None,
    web_base_url: str | None = None,
) -> Document:
    """Accept an execution: check everything, store it, tell about it, queue it. The stored document.

    ``delay`` (milliseconds) postpones its start; so do the policies of the action, or they cancel it at once.
    ``kept`` are parameters of an earlier execution that hold where ``parameters`` has no other value, and
    ``kept_secrets`` what was decrypted for them. ``execution_id`` is for who has to make this execution once, however
    often it tries. ``key_file`` decrypts the secrets of the datastore that templates ask for.

    Raises:
        TemplateError: a parameter could not be rendered; the execution exists, as failed.
        ValidationError: there is no such action, it is disabled, it does not take these parameters, or there is no
            trace of the id that the context names. Nothing exists.
        DuplicateKeyError: there is an execution with this id.
    """
    action, runner_type = _runnable(action_ref)
    owned = {**(context or {}), "user": user, "pack": action["pack"]}
    execution = _document(action, runner_type, owned, execution_id or ObjectId())
    if delay:
        execution["delay"] = delay
    if notify:
        execution["liveaction"]["notify"] = dict(notify)
    if kept_secrets:
        execution["decrypted"] = list(kept_secrets)
    st2kv = KeyLookup(database, key_file or KeyFile(), execution["context"])
    config = PackConfig(action["pack"], KeyLookup(database, key_file or KeyFile(), execution["context"]))
    try:
        with _telling_no_secrets(st2kv):
            live = action_parameters.live_parameters(
                action, runner_type, parameters, execution["context"], kept=kept, config=config, st2kv=st2kv
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


def rerun_execution(
    database: Database[Document],
    transport: Transport,
    *,
    execution_id: str,
    parameters: Mapping[str, Any],
    user: str,
    tasks: list[str] | None = None,
    reset: list[str] | None = None,
    context: Mapping[str, Any] | None = None,
    delay: int | None = None,
    key_file: KeyFile | None = None,
    web_base_url: str | None = None,
) -> Document:
    """Run the action of an execution once more, with its parameters where ``parameters`` has no other value.

    Raises:
        NotFound: there is no such execution.
        TemplateError, ValidationError: as :func:`request_execution`; or tasks are named and it is no workflow.
    """
    earlier = Executions(database).get(execution_id)
    if earlier is None:
        raise NotFound(f'Unable to identify resource with id "{execution_id}".')
    if (tasks or reset) and earlier["action"]["runner_type"] not in _WORKFLOWS:
        raise ValidationError("Only the tasks of an orquesta workflow can be run again.")
    again = {"re-run": {"ref": execution_id}, "trace_context": {"id_": traces.trace_id(earlier)}}
    return request_execution(
        database,
        transport,
        action_ref=earlier["action"]["ref"],
        parameters=parameters,
        user=user,
        context={**(context or {}), **again},
        delay=delay,
        kept=earlier.get("parameters"),
        kept_secrets=earlier.get("decrypted") or (),
        key_file=key_file,
        web_base_url=web_base_url,
    )


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


def _document(action: Document, runner_type: Document, context: Document, identity: ObjectId) -> Document:
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
    }


def _accept(
    database: Database[Document], transport: Transport, execution: Document, web_base_url: str | None
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
    _insert(database, execution)
    if slots and not delay:
        execution = Admission(database, transport, web_base_url).begin(execution, slots)
    ExecutionEvents(transport, web_base_url).created(execution)
    if execution["status"] == Status.REQUESTED:
        queue_execution(transport, str(execution["_id"]))
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
    error: TemplateError,
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
