"""The verbs that begin an execution: request one, repeat one, release those that were to start later.

Each stores the execution first, tells about it, and then queues it. When the broker does not take it, the execution
stays as it is stored and the sweeper queues it again.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bson import ObjectId
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import WriteError

from st2common.clock import now_us
from st2common.datastore.crypto import KeyFile
from st2common.datastore.lookup import KeyLookup
from st2common.errors import NotFound, TransportError, ValidationError
from st2common.expressions.templates import TemplateError
from st2common.models import actions, runner_types
from st2common.models.connection import Document
from st2common.models.execution_view import result_size
from st2common.models.executions import Executions, liveaction_id
from st2common.models.statuses import Status
from st2common.output.mongo_log import MongoOutputLog
from st2common.services import parameters as action_parameters
from st2common.services.events import ExecutionEvents
from st2common.services.log_end import end_log
from st2common.services.pack_configs import PackConfig, secrets_used
from st2common.transport.port import SCHEMA_VERSION, Transport
from st2common.transport.topology import EXECUTIONS_TO_RUN

LOG = logging.getLogger(__name__)

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
    key_file: KeyFile | None = None,
    web_base_url: str | None = None,
) -> Document:
    """Accept an execution: check everything, store it, tell about it, queue it. The stored document.

    ``delay`` (milliseconds) postpones its start. ``kept`` are parameters of an earlier execution that hold where
    ``parameters`` has no other value, and ``kept_secrets`` what was decrypted for them. ``key_file`` decrypts the
    secrets of the datastore that templates ask for.

    Raises:
        TemplateError: a parameter could not be rendered; the execution exists, as failed.
        ValidationError: there is no such action, it is disabled, or it does not take these parameters. Nothing exists.
    """
    action, runner_type = _runnable(action_ref)
    execution = _document(action, runner_type, {**(context or {}), "user": user, "pack": action["pack"]})
    if delay:
        execution["delay"] = delay
    if notify:
        execution["liveaction"]["notify"] = dict(notify)
    if kept_secrets:
        execution["decrypted"] = list(kept_secrets)
    events = ExecutionEvents(transport, web_base_url)
    st2kv = KeyLookup(database, key_file or KeyFile(), execution["context"])
    config = PackConfig(action["pack"], KeyLookup(database, key_file or KeyFile(), execution["context"]))
    try:
        with _telling_no_secrets(st2kv):
            live = action_parameters.live_parameters(
                action, runner_type, parameters, execution["context"], kept=kept, config=config, st2kv=st2kv
            )
    except TemplateError as error:
        _store_failed(database, transport, events, execution, {**(kept or {}), **parameters}, error)
        raise
    if not action["enabled"]:
        raise ValidationError(f'Unable to execute. Action "{action_ref}" is disabled.')
    with _telling_no_secrets(st2kv):
        action_parameters.validate(action, runner_type, live, parameters)
    execution["parameters"] = live
    if decrypted := [*st2kv.decrypted, *secrets_used(config, live)]:
        execution["decrypted"] = list(dict.fromkeys([*kept_secrets, *decrypted]))
    if delay:
        _postpone(execution, delay)
    _insert(database, execution)
    events.created(execution)
    if not delay:
        _queue(transport, str(execution["_id"]))
    return execution


def rerun_execution(
    database: Database[Document],
    transport: Transport,
    *,
    execution_id: str,
    parameters: Mapping[str, Any],
    user: str,
    tasks: list[str] | None = None,
    reset: list[str] | None = None,
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
    context: Document = {"re-run": {"ref": execution_id}}
    if trace := earlier["context"].get("trace_context"):
        context["trace_context"] = trace
    return request_execution(
        database,
        transport,
        action_ref=earlier["action"]["ref"],
        parameters=parameters,
        user=user,
        context=context,
        delay=delay,
        kept=earlier.get("parameters"),
        kept_secrets=earlier.get("decrypted") or (),
        key_file=key_file,
        web_base_url=web_base_url,
    )


def release_delayed(database: Database[Document], transport: Transport, limit: int = 100) -> int:
    """Queue the executions whose delay is over; how many. Safe to call from several processes at once."""
    executions = Executions(database)
    events = ExecutionEvents(transport)
    due = executions.collection.find({"status": str(Status.DELAYED), "not_before": {"$lte": now_us()}}, {"_id": 1})
    released = 0
    for found in due.limit(limit):
        changed = executions.change(str(found["_id"]), Status.REQUESTED)
        if changed:
            events.updated(changed)
            _queue(transport, str(found["_id"]))
            released += 1
    return released


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
    action = actions.get(action_ref) if "." in action_ref else None
    if action is None:
        raise ValidationError(f'Action "{action_ref}" cannot be found.')
    runner_type = runner_types.get(action["runner_type"])
    if runner_type is None:
        raise ValidationError(f'Runner type "{action["runner_type"]}" of action "{action_ref}" cannot be found.')
    return action, runner_type


def _document(action: Document, runner_type: Document, context: Document) -> Document:
    now = now_us()
    identity = ObjectId()
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
        Executions(database).insert(execution)
    except (BSONError, OverflowError, UnicodeEncodeError, WriteError) as error:
        # Integers of more than 64 bits, keys with a NUL, half a surrogate pair, 16 MiB: JSON has them, BSON does not.
        raise ValidationError(f"The execution cannot be stored: {error}") from error


def _queue(transport: Transport, execution_id: str) -> None:
    body = {"v": SCHEMA_VERSION, "execution_id": execution_id}
    try:
        transport.publish(EXECUTIONS_TO_RUN.exchange, EXECUTIONS_TO_RUN.routing_key, body)
    except TransportError as error:
        LOG.warning("Execution %s is accepted and waits to be queued: %s", execution_id, error)
