"""The audit log: a line of JSON for each change that somebody asks for over HTTP, at the level AUDIT.

It goes where the logging of the service goes; a handler of that level in the service's logging file gives it a file of
its own. A line says what was asked for, by whom, and how it ended, never what was sent::

    time         when it was answered
    user         who asks; null: nobody knows
    credential   the kind: "authentication token", "API key" or "no authentication"; null: none that counts
    credential_id  id of the API key or token, where it has one
    execution_id   the execution whose token it is
    method, path
    resource     id or name of what is changed; null where nothing is
    status       of the answer
    request_id
    address      of the client
"""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Flask, Response, g, request

from st2common.auth.identity import Identity
from st2common.clock import isoformat, now_us
from st2common.http import access_log
from st2common.http.client_address import client_address
from st2common.log import AUDIT

LOG = logging.getLogger("st2.audit")

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# Characters of a name or of an address that somebody else wrote.
_LONGEST = 1024
# Bytes of an answer that is read for the id of what it made.
_MAX_ANSWER = 1024 * 1024


def guard(app: Flask) -> None:
    """Have every change that the application is asked for written down, refused ones too."""

    @app.after_request
    def write(response: Response) -> Response:
        # What no route takes changes nothing, and anybody could fill the log with it.
        if request.method in _CHANGING and request.routing_exception is None:
            LOG.log(AUDIT, "%s", json.dumps(_record(response)))
        return response


def _record(response: Response) -> dict[str, Any]:
    who: Identity | None = g.get("identity")
    record: dict[str, Any] = {
        "time": isoformat(now_us()),
        "user": who.user if who else None,
        "credential": str(who.kind) if who else None,
    }
    if who and who.credential_id:
        record["credential_id"] = who.credential_id
    if who and who.execution_id:
        record["execution_id"] = who.execution_id
    return {
        **record,
        "method": request.method,
        "path": access_log.path_of(request)[:_LONGEST],
        "resource": _resource(response),
        "status": response.status_code,
        "request_id": g.get("request_id"),
        "address": client_address()[:_LONGEST],
    }


def _resource(response: Response) -> str | None:
    """What the path names, or else what the answer says was made."""
    named = "/".join(
        access_log.MASK if name == "id_or_key" and not access_log.is_key_id(str(value)) else str(value)
        for name, value in (request.view_args or {}).items()
    )
    told = named if named and access_log.MASK not in named else _made(response) or named
    return told[:_LONGEST] or None


def _made(response: Response) -> str:
    readable = response.status_code < 400 and response.mimetype == "application/json"
    if not readable or not 0 < (response.content_length or 0) <= _MAX_ANSWER:
        return ""
    return ",".join(_ids(response.get_json()))


def _ids(answered: Any) -> list[str]:
    """Of what an answer is about: itself, an execution that it names or has in it, or several."""
    if not isinstance(answered, dict):
        return []
    if isinstance(several := answered.get("results"), list):
        return [identity for one in several for identity in _ids(one)]
    if isinstance(execution := answered.get("execution"), dict):
        return _ids(execution)
    identity = answered.get("execution_id") or answered.get("id")
    return [identity] if isinstance(identity, str) else []
