"""The documents of executions before they are stored: made, given their parameters, found right.

Nothing here is told to anybody; :mod:`st2common.services.executions` has the verbs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bson
from bson import ObjectId
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, WriteError

from st2common.clock import now_us
from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.errors import ValidationError
from st2common.models import actions, runner_types
from st2common.models.connection import Document
from st2common.models.executions import Executions, liveaction_id
from st2common.models.statuses import Status
from st2common.services import parameters as action_parameters
from st2common.services import traces
from st2common.services.pack_configs import PackConfig, secrets_used

# Characters of a secret that tell something about it, and of the longest secret whose parts are looked for.
_QUOTE = 4
_LONGEST_SEARCHED = 64 * 1024

#: Bytes of an execution that is accepted. A document of the database has at most 16 MiB, and what follows needs room:
#: an action that has run and whose end cannot be stored would be worse than one that is refused.
MAX_BYTES = 14 * 1024 * 1024


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


def requested(
    action_ref: str,
    *,
    user: str,
    context: Mapping[str, Any] | None = None,
    notify: Mapping[str, Any] | None = None,
    kept_secrets: Sequence[str] = (),
    execution_id: ObjectId | None = None,
    place: Place | None = None,
) -> Document:
    """A new execution of an action, without parameters; see :func:`st2common.services.executions.request_execution`.

    Raises:
        ValidationError: there is no such action.
    """
    action, runner_type = _runnable(action_ref)
    owned = {**(context or {}), "user": user, "pack": action["pack"]}
    execution = execution_document(action, runner_type, owned, execution_id or ObjectId(), place)
    if routes := notify or action.get("notify"):
        execution["liveaction"]["notify"] = dict(routes)
    if kept_secrets:
        execution["decrypted"] = list(kept_secrets)
    return execution


def give_parameters(
    database: Database[Document],
    execution: Document,
    parameters: Mapping[str, Any],
    *,
    kept: Mapping[str, Any] | None = None,
    names: Mapping[str, Any] | None = None,
    literal: bool = False,
    keys: KeyAccess | None = None,
) -> None:
    """Render, cast and check the parameters, and have the execution hold them.

    Raises:
        TemplateError: one could not be rendered.
        ValidationError: the action is disabled, or does not take them.
    """
    action, runner_type = execution["action"], execution["runner"]
    keys = keys or KeyAccess()
    st2kv = KeyLookup(database, keys, execution["context"])
    # Whoever may run the action uses the configuration of its pack, which is the administrator's.
    config = PackConfig(action["pack"], KeyLookup(database, keys.of_platform(), execution["context"]))
    to_render, values = ({}, {**(kept or {}), **parameters}) if literal else (parameters, kept)
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
    if not action["enabled"]:
        raise ValidationError(f'Unable to execute. Action "{action["ref"]}" is disabled.')
    with _telling_no_secrets(st2kv):
        action_parameters.validate(action, runner_type, live, parameters)
    execution["parameters"] = live
    if decrypted := [*st2kv.decrypted, *secrets_used(config, live)]:
        execution["decrypted"] = list(dict.fromkeys([*execution.get("decrypted", ()), *decrypted]))


def insert(database: Database[Document], execution: Document) -> None:
    """Store a new execution, in the trace that its context names.

    Raises:
        ValidationError: there is no such trace, or the database cannot hold it.
        DuplicateKeyError: there is an execution with this id.
    """
    try:
        if (size := len(bson.encode(execution))) > MAX_BYTES:
            raise ValidationError(f"The execution cannot be stored: of its {size} bytes {MAX_BYTES} are allowed.")
        traces.join(database, execution)
        Executions(database).insert(execution)
    except DuplicateKeyError:
        raise
    except (BSONError, OverflowError, UnicodeEncodeError, WriteError) as error:
        # Integers of more than 64 bits, keys with a NUL, half a surrogate pair: JSON has them, BSON does not.
        raise ValidationError(f"The execution cannot be stored: {error}") from error


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


def execution_document(
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
