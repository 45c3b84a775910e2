"""Webhooks: requests that become events. 202 means that the event is stored."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from flask import Blueprint, Response, request
from jsonschema import Draft7Validator
from pymongo.errors import DuplicateKeyError

from st2api.context import api
from st2common.auth.identity import Identity, Kind
from st2common.datastore.crypto import KeyFile
from st2common.errors import Unauthorized, ValidationError
from st2common.http import authentication, body
from st2common.http.authentication import takes_proof
from st2common.http.authorization import checks_objects, needs, require
from st2common.http.paging import Page
from st2common.http.responses import answer
from st2common.models import triggers
from st2common.models.connection import Document
from st2common.models.trigger_types import WEBHOOK
from st2common.services.trigger_dispatch import dispatch_trigger
from st2common.services.webhooks import ID_HEADER, SIGNATURE_HEADER, find_webhook, normalized, objection, secret_of

#: The webhook for any trigger.
GENERIC = "st2"

#: Bytes. With its headers and what the database adds, an event has to fit into 16 MiB.
MAX_BODY = 8 * 1024 * 1024

# Characters of an objection, which quotes what it objects to.
_MAX_MESSAGE = 1000

# Credentials, which are nothing for rules.
_PRIVATE_HEADERS = frozenset({"x-auth-token", "st2-api-key", "cookie"})

#: The body of a request to :data:`GENERIC`, and of one to any other webhook.
GENERIC_BODY: dict[str, Any] = {
    "type": "object",
    "required": ["trigger"],
    "properties": {"trigger": {"type": "string"}, "payload": {"type": ["object", "null"]}},
}
BODY: dict[str, Any] = {"type": ["object", "array"]}

routes = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@routes.get("")
@needs("webhook_list")
def list_webhooks() -> Response:
    """Whole triggers: clients ask for attributes that they do not have."""
    page = Page.of_request(default_limit=None)
    return page.answer(*triggers.find([WEBHOOK], page.limit, page.offset))


@routes.get("/<path:url>")
@checks_objects
def get_webhook(url: str) -> Response:
    require("webhook_view", _uid(url))
    return answer(find_webhook(url))


def _proof() -> Identity | None:
    """Who has signed the current request with the secret of its webhook; None: nobody has signed it.

    Raises:
        Unauthorized: it is signed, and not to be trusted.
    """
    if SIGNATURE_HEADER not in request.headers:
        return None
    request.max_content_length = MAX_BODY
    url = normalized((request.view_args or {})["url"])
    secret = secret_of(api().database, KeyFile.of_config(api().config), url)
    problem = "this webhook has no secret" if secret is None else objection(secret, request.headers, request.get_data())
    if problem:
        raise Unauthorized(f"Unauthorized - The request is signed, but {problem}.")
    return Identity(f"webhook:{url}", Kind.SIGNATURE)


@routes.post("/<path:url>")
@checks_objects
@takes_proof(_proof)
def receive(url: str) -> Response:
    request.max_content_length = MAX_BODY
    url = normalized(url)
    if authentication.identity().kind is not Kind.SIGNATURE:
        require("webhook_send", _uid(url))
    told = body.parsed()
    _check(GENERIC_BODY if url == GENERIC else BODY, told)
    if url == GENERIC:
        _dispatch(url, told["trigger"], told.get("payload") or {})
    else:
        _dispatch(url, find_webhook(url)["ref"], {**_headers(), "body": told})
    return answer(told, 202)


def _check(schema: Mapping[str, Any], told: Any) -> None:
    error = next(Draft7Validator(schema).iter_errors(told), None)
    if error is not None:
        raise ValidationError(error.message[:_MAX_MESSAGE])


def _dispatch(url: str, trigger: str, payload: Document) -> None:
    tag = request.headers.get("St2-Trace-Tag") or f"webhook-{url}-{uuid.uuid4().hex}"
    try:
        dispatch_trigger(
            api().database,
            api().transport,
            trigger=trigger,
            payload=payload,
            trace_context={"trace_tag": tag},
            validate_payload=api().config.system.validate_trigger_payload,
            instance_id=_instance_id(url),
        )
    except DuplicateKeyError:
        # A signed request that was sent twice, by its sender or by somebody else: it has been taken before.
        return


def _instance_id(url: str) -> ObjectId | None:
    """The same for each repetition of a signed request; None for any other request."""
    if authentication.identity().kind is not Kind.SIGNATURE:
        return None
    return ObjectId(hashlib.sha256(f"{url}\n{request.headers[ID_HEADER]}".encode()).digest()[:12])


def _headers() -> Document:
    """Names as they are commonly written, and in lower case."""
    given = {name: value for name, value in request.headers.items() if name.lower() not in _PRIVATE_HEADERS}
    return {"headers": given, "headers_lower": {name.lower(): value for name, value in given.items()}}


def _uid(url: str) -> str:
    return f"webhook:{normalized(url)}"
