"""Policies, and the types that they can have."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2common.content.pack_files import DEFAULT_PACK
from st2common.errors import NotFound
from st2common.http import body, query
from st2common.http.authorization import checks_objects, needs, require, require_name, require_new
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer, no_content
from st2common.models import policies, policy_types
from st2common.rbac.resolution import content_uids
from st2common.services.content_changes import POLICIES

FIELDS = (
    "id",
    "uid",
    "ref",
    "pack",
    "name",
    "description",
    "enabled",
    "resource_ref",
    "policy_type",
    "parameters",
    "metadata_file",
)
_TYPE_FIELDS = tuple(policy_types.TYPES[0])

#: The service checks the rest.
CHANGE: dict[str, Any] = {
    "type": "object",
    "required": ["name", "resource_ref", "policy_type"],
    "properties": {name: {"type": "string"} for name in ("name", "resource_ref", "policy_type")},
}

routes = Blueprint("policies", __name__)


@routes.get("/policies")
@needs("policy_list")
def list_policies() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(FIELDS, FIELDS)
    found, total = policies.find(query.texts(), page.limit, page.offset)
    return page.answer([attributes.select(policy, ("id", "ref")) for policy in found], total)


@routes.get("/policies/<ref_or_id>")
@checks_objects
def get_one_policy(ref_or_id: str) -> Response:
    found = POLICIES.get(ref_or_id)
    require("policy_view", *content_uids(found))
    return answer(found)


@routes.post("/policies")
@checks_objects
def add_policy() -> Response:
    wanted = _wanted()
    require_new("policy", wanted.get("pack") or DEFAULT_PACK, wanted["name"])
    return answer(POLICIES.create(wanted), 201)


@routes.put("/policies/<ref_or_id>")
@checks_objects
def change_policy(ref_or_id: str) -> Response:
    wanted, earlier = _wanted(), POLICIES.get(ref_or_id)
    require("policy_modify", *content_uids(earlier))
    require_name("policy", earlier, wanted)
    return answer(POLICIES.update(earlier["id"], wanted))


@routes.delete("/policies/<ref_or_id>")
@checks_objects
def remove_policy(ref_or_id: str) -> Response:
    require("policy_delete", *content_uids(POLICIES.get(ref_or_id)))
    POLICIES.delete(ref_or_id)
    return no_content()


@routes.get("/policytypes")
@needs("policy_type_list")
def list_types() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(_TYPE_FIELDS, _TYPE_FIELDS)
    wanted = query.text("resource_type")
    found = [known for known in policy_types.TYPES if wanted in (None, known["resource_type"])]
    return page.answer([attributes.select(known, ("id", "ref")) for known in page.cut(found)], len(found))


@routes.get("/policytypes/<ref_or_id>")
@checks_objects
def get_type(ref_or_id: str) -> Response:
    found = policy_types.get(ref_or_id)
    if found is None:
        raise NotFound(f'PolicyType with a reference or id "{ref_or_id}" not found')
    require("policy_type_view", found["uid"])
    return answer(found)


def _wanted() -> dict[str, Any]:
    wanted: dict[str, Any] = body.checked(CHANGE, nulls_are_absent=True)
    return wanted
