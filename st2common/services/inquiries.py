"""Inquiries: executions that wait for an answer of people.

The runner type ``inquirer`` leaves an execution ``pending``, with what is asked as its result::

    schema   JSON schema of the answer
    users    who may answer; empty: everybody
    roles    of which roles whoever answers must have one; empty: any
    route    for rules that pass the question on
    ttl      minutes that it waits; 0: for ever
    response the answer, once there is one

The id of an inquiry is that of its execution.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from typing import Any

import referencing
from jsonschema import Draft4Validator
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.exceptions import ValidationError as SchemaFault
from pymongo.database import Database
from referencing.exceptions import Unresolvable

from st2common.clock import now_us
from st2common.errors import AccessDenied, NotFound, ValidationError
from st2common.models.connection import Document
from st2common.models.execution_view import result_size
from st2common.models.executions import Executions
from st2common.models.secrets import MASK
from st2common.models.statuses import Status
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.draft4 import Validator, to_draft4
from st2common.services.events import ExecutionEvents
from st2common.services.log_end import end_log
from st2common.transport.port import Transport

LOG = logging.getLogger(__name__)

#: The runner type whose executions are inquiries.
RUNNER = "inquirer"

# Characters: an objection quotes what it objects to.
_MAX_MESSAGE = 1000
# Objections that name properties and quote no values.
_QUOTE_NOTHING = frozenset({"required", "additionalProperties"})


class NotAnswerable(ValidationError):
    """This inquiry takes no answer."""


def check_schema(schema: Mapping[str, Any]) -> None:
    """Whether answers can be compared with ``schema``.

    Raises:
        ValidationError: it is no JSON schema.
    """
    try:
        Draft4Validator.check_schema(to_draft4(schema))
    except (SchemaError, AttributeError, TypeError) as error:
        reason = error.message if isinstance(error, SchemaError) else str(error)
        raise ValidationError(f"It is not a JSON schema: {reason[:_MAX_MESSAGE]}") from None


def find_inquiry(executions: Executions, inquiry_id: str) -> Document:
    """The stored execution of an inquiry that waits.

    Raises:
        NotFound: there is no such execution.
        NotAnswerable: it is no inquiry, or it waits no more, or not yet.
    """
    execution = executions.get(inquiry_id)
    if execution is None:
        raise NotFound(f'Unable to identify resource with id "{inquiry_id}".')
    if execution["runner"]["name"] != RUNNER:
        raise NotAnswerable(f'Action execution "{inquiry_id}" is not an inquiry.')
    status = Status(execution["status"])
    if status is Status.PENDING:
        return execution
    if status is Status.TIMEOUT:
        raise NotAnswerable(f'Inquiry "{inquiry_id}" timed out and cannot be responded to.')
    if status is Status.SUCCEEDED:
        raise NotAnswerable(f'Inquiry "{inquiry_id}" has already been responded to.')
    raise NotAnswerable(f'Inquiry "{inquiry_id}" cannot be responded to. State = {status}.')


def answer_inquiry(
    database: Database[Document],
    transport: Transport,
    *,
    inquiry_id: str,
    response: Mapping[str, Any],
    user: str,
    roles: Collection[str] | None,
    web_base_url: str | None = None,
) -> Document:
    """End an inquiry with the answer of ``user``; the stored execution as it is then. The first answer counts.

    ``roles`` are those of the user; None where there is no access control, and so no roles to ask for.

    Raises:
        NotFound, NotAnswerable: as :func:`find_inquiry`.
        AccessDenied: the user is not one of those who may answer.
        ValidationError: the answer does not fit the schema.
    """
    executions = Executions(database)
    execution = find_inquiry(executions, inquiry_id)
    asked = execution["result"]
    _check_permission(inquiry_id, asked, user, roles)
    _check_response(inquiry_id, response, asked["schema"])
    result = {**asked, "response": dict(response)}
    fields = {"result": result, "result_size": result_size(result), "context.responded_by": user}
    answered = _end(executions, execution, Status.SUCCEEDED, transport, fields, web_base_url)
    if answered is None:
        # Somebody was faster: that tells who asks now why it waits no more.
        find_inquiry(executions, inquiry_id)
        raise NotAnswerable(f'Inquiry "{inquiry_id}" is changing. Try again.')
    return answered


def expire_inquiries(
    database: Database[Document], transport: Transport, limit: int, web_base_url: str | None = None
) -> int:
    """Time out the inquiries that have waited for too long; how many there were. Several processes may call it."""
    executions = Executions(database)
    due = {"status": str(Status.PENDING), "pending_until": {"$gt": 0, "$lte": now_us()}}
    found = list(executions.collection.find(due).limit(limit))
    for execution in found:
        if _end(executions, execution, Status.TIMEOUT, transport, {}, web_base_url):
            LOG.info("Nobody has answered inquiry %s in time", execution["_id"])
    return len(found)


def _end(
    executions: Executions,
    execution: Document,
    status: Status,
    transport: Transport,
    fields: Mapping[str, Any],
    web_base_url: str | None,
) -> Document | None:
    """End a pending execution and its log, unless somebody else has done so."""
    ended = executions.change(str(execution["_id"]), status, attempt=execution["attempt"], fields=fields)
    if ended:
        end_log(MongoOutputLog(executions.collection.database), transport, ended)
        ExecutionEvents(transport, web_base_url).updated(ended)
    return ended


def _check_permission(inquiry_id: str, asked: Document, user: str, roles: Collection[str] | None) -> None:
    wanted = asked.get("roles") or []
    by_role = roles is None or not wanted or bool(set(wanted) & set(roles))
    by_name = not asked.get("users") or user in asked["users"]
    if not (by_role and by_name):
        raise AccessDenied(f'User "{user}" does not have permission to respond to inquiry "{inquiry_id}".')


def _check_response(inquiry_id: str, response: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    # With an empty registry, a reference to another document is an error and not a request to where it lies.
    validator = Validator(to_draft4(schema), registry=referencing.Registry())
    try:
        error = best_match(validator.iter_errors(response))
    except Unresolvable as unresolvable:
        raise ValidationError(f'The schema of inquiry "{inquiry_id}" refers to "{unresolvable.ref}".') from None
    if error is None:
        return
    message = f'Response for inquiry "{inquiry_id}" did not pass schema validation. '
    raise ValidationError(message + _reason(error, schema))


def _reason(error: SchemaFault, schema: Mapping[str, Any]) -> str:
    """The words of JSON schema, which quote the value, unless it may be secret."""
    if error.validator in _QUOTE_NOTHING:
        return error.message
    name = error.absolute_path[0] if error.absolute_path else None
    about = (schema.get("properties") or {}).get(name, schema) if name else schema
    if '"secret": true' in json.dumps(about):
        return f'{MASK} is not a valid value of "{name}" ({error.validator})' if name else f"({error.validator})"
    return error.message[:_MAX_MESSAGE]
