"""Rules: which action runs when which event comes in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.content.pack_files import DEFAULT_PACK
from st2common.errors import NotFound
from st2common.http import body, query
from st2common.http.authorization import (
    checks_objects,
    needs,
    require,
    require_execute,
    require_name,
    require_new,
    rights,
)
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer, no_content
from st2common.models import rules, trigger_types
from st2common.models.connection import Document
from st2common.rbac.resolution import content_uids
from st2common.services.rules import create_rule, delete_rule, described, get_rule, shown, update_rule

FIELDS = (
    "id",
    "uid",
    "ref",
    "pack",
    "name",
    "description",
    "enabled",
    "type",
    "trigger",
    "criteria",
    "action",
    "tags",
    "context",
    "metadata_file",
)
#: The service checks the rest.
CHANGE: dict[str, Any] = {
    "type": "object",
    "required": ["name", "trigger", "action"],
    "properties": {
        "name": {"type": "string"},
        "trigger": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}},
        "action": {"type": "object", "required": ["ref"], "properties": {"ref": {"type": "string"}}},
    },
}
#: The kinds of rules. They are code, so they are not stored.
TYPES = [
    {
        "name": rules.STANDARD,
        "description": "Runs its action for every event that meets its criteria.",
        "enabled": True,
        "parameters": {},
        "id": "5f0000000000000000000001",
    },
    {
        "name": rules.BACKSTOP,
        "description": "Runs its action for events that no standard rule of the same trigger has matched.",
        "enabled": True,
        "parameters": {},
        "id": "5f0000000000000000000002",
    },
]

routes = Blueprint("rules", __name__)


@routes.get("/rules")
@needs("rule_list")
def list_rules() -> Response:
    return _list(views=False)


@routes.get("/rules/views")
@needs("rule_list")
def list_views() -> Response:
    """Rules with the descriptions of their actions and trigger types."""
    return _list(views=True)


@routes.get("/rules/<ref_or_id>")
@checks_objects
def get_one_rule(ref_or_id: str) -> Response:
    return answer(_visible(ref_or_id, "rule_view"))


@routes.get("/rules/views/<ref_or_id>")
@checks_objects
def get_view(ref_or_id: str) -> Response:
    return answer(described(_visible(ref_or_id, "rule_view")))


@routes.post("/rules")
@checks_objects
def add_rule() -> Response:
    wanted = _wanted()
    require_new("rule", wanted.get("pack") or DEFAULT_PACK, wanted["name"])
    _require_parts(wanted)
    [made] = shown([create_rule(api().transport, wanted, api().user)], mask=api().masks_secrets())
    return answer(made, 201)


@routes.put("/rules/<ref_or_id>")
@checks_objects
def change_rule(ref_or_id: str) -> Response:
    wanted, earlier = _wanted(), _visible(ref_or_id, "rule_modify")
    require_name("rule", earlier, wanted)
    _require_parts(wanted)
    [changed] = shown([update_rule(api().transport, earlier["id"], wanted)], mask=api().masks_secrets())
    return answer(changed)


@routes.delete("/rules/<ref_or_id>")
@checks_objects
def remove_rule(ref_or_id: str) -> Response:
    delete_rule(api().transport, _visible(ref_or_id, "rule_delete")["id"])
    return no_content()


@routes.get("/ruletypes")
@needs("rule_list")
def list_types() -> Response:
    return answer(TYPES)


@routes.get("/ruletypes/<name_or_id>")
@needs("rule_list")
def get_type(name_or_id: str) -> Response:
    for known in TYPES:
        if name_or_id in (known["name"], known["id"]):
            return answer(known)
    raise NotFound(f'Unable to identify resource with id "{name_or_id}".')


def _list(*, views: bool) -> Response:
    page, attributes = Page.of_request(default_limit=None), Attributes.of_request(FIELDS, FIELDS)
    conditions: Document = {}
    if query.text("enabled"):
        conditions["enabled"] = query.boolean("enabled")
    if trigger := query.text("trigger"):
        conditions["$or"] = [{"trigger": trigger}, {"trigger_type": trigger}]
    if rights().isolated:
        conditions["context.user"] = api().user
    found, total = rules.find(query.texts(), page.limit, page.offset, conditions)
    found = shown(found, mask=api().masks_secrets())
    if views:
        found = [described(rule) for rule in found]
    return page.answer([attributes.select(rule, ("id", "ref")) for rule in found], total)


def _visible(ref_or_id: str, permission: str) -> Document:
    """The rule, without its secrets, if whoever asks has ``permission`` on it."""
    found = get_rule(ref_or_id)
    require(permission, *content_uids(found))
    if rights().isolated and found["context"].get("user") != api().user:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    [rule] = shown([found], mask=api().masks_secrets())
    return rule


def _require_parts(wanted: Document) -> None:
    """Who may make a rule must also be one who may do what the rule does."""
    require_execute(wanted["action"]["ref"])
    if wanted["trigger"]["type"] == trigger_types.WEBHOOK:
        url = (wanted["trigger"].get("parameters") or {}).get("url")
        require("webhook_create", f"webhook:{url}")


def _wanted() -> dict[str, Any]:
    wanted: dict[str, Any] = body.checked(CHANGE, nulls_are_absent=True)
    return wanted
