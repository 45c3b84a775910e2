"""Inquiries: executions that wait for an answer of people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.http import body
from st2common.http.authorization import checks_objects, enabled, needs, require, rights
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer
from st2common.models import execution_list
from st2common.models.connection import Document
from st2common.models.execution_list import Selection
from st2common.models.secrets import masked
from st2common.models.statuses import Status
from st2common.rbac import executions
from st2common.services import inquiries

_FIELDS = ("id", "route", "ttl", "users", "roles", "schema")
_DEFAULT_LIMIT = 20

#: An answer.
ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["response"],
    # Some clients send the whole inquiry back.
    "properties": {"id": {"type": "string"}, "response": {"type": "object"}},
}

routes = Blueprint("inquiries", __name__, url_prefix="/inquiries")


@routes.get("")
@needs("inquiry_list")
def list_inquiries() -> Response:
    """Those that wait, the newest first."""
    page, attributes = Page.of_request(_DEFAULT_LIMIT), Attributes.of_request(_FIELDS, _FIELDS)
    selection = Selection({"status": str(Status.PENDING), "runner.name": inquiries.RUNNER})
    collection = api().executions.collection
    total = execution_list.count(collection, selection)
    found = execution_list.find(collection, selection, page.limit, page.offset, {"result": 1}, total)
    items = [attributes.select(_shown(stored)) for stored in found]
    return page.answer(items, total)


@routes.get("/<inquiry_id>")
@checks_objects
def get_inquiry(inquiry_id: str) -> Response:
    attributes = Attributes.of_request(_FIELDS, _FIELDS)
    found = inquiries.find_inquiry(api().executions, inquiry_id)
    require("inquiry_view", *_uids(found))
    return answer(attributes.select(_shown(found)))


@routes.put("/<inquiry_id>")
@checks_objects
def answer_inquiry(inquiry_id: str) -> Response:
    given: Document = body.checked(ANSWER)
    if enabled():
        require("inquiry_respond", *_uids(inquiries.find_inquiry(api().executions, inquiry_id)))
    ended = inquiries.answer_inquiry(
        api().database,
        api().transport,
        inquiry_id=inquiry_id,
        response=given["response"],
        user=api().user,
        roles=rights().roles if enabled() else None,
        web_base_url=api().config.webui.webui_base_url,
    )
    response, schema = ended["result"]["response"], ended["result"]["schema"]
    return answer({"id": inquiry_id, "response": masked(response, schema) if api().masks_secrets() else response})


def _uids(stored: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"inquiry:{stored['_id']}", *executions.uids(stored))


def _shown(stored: Mapping[str, Any]) -> Document:
    asked = stored["result"]
    return {"id": str(stored["_id"]), **{name: asked[name] for name in _FIELDS if name in asked}}
