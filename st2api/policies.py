"""Policies, and the types that they can have."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2common.errors import NotFound
from st2common.http import body, query
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer, no_content
from st2common.models import policies, policy_types
from st2common.services.policies import create_policy, delete_policy, get_policy, update_policy

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
    "properties": dict.fromkeys(("name", "resource_ref", "policy_type"), {"type": "string"}),
}

routes = Blueprint("policies", __name__)


@routes.get("/policies")
def list_policies() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(FIELDS, FIELDS)
    found, total = policies.find(query.texts(), page.limit, page.offset)
    return page.answer([attributes.select(policy, ("id", "ref")) for policy in found], total)


@routes.get("/policies/<ref_or_id>")
def get_one_policy(ref_or_id: str) -> Response:
    return answer(get_policy(ref_or_id))


@routes.post("/policies")
def add_policy() -> Response:
    return answer(create_policy(_wanted()), 201)


@routes.put("/policies/<ref_or_id>")
def change_policy(ref_or_id: str) -> Response:
    return answer(update_policy(ref_or_id, _wanted()))


@routes.delete("/policies/<ref_or_id>")
def remove_policy(ref_or_id: str) -> Response:
    delete_policy(ref_or_id)
    return no_content()


@routes.get("/policytypes")
def list_types() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(_TYPE_FIELDS, _TYPE_FIELDS)
    wanted = query.text("resource_type")
    found = [known for known in policy_types.TYPES if wanted in (None, known["resource_type"])]
    return page.answer([attributes.select(known, ("id", "ref")) for known in page.cut(found)], len(found))


@routes.get("/policytypes/<ref_or_id>")
def get_type(ref_or_id: str) -> Response:
    found = policy_types.get(ref_or_id)
    if found is None:
        raise NotFound(f'PolicyType with a reference or id "{ref_or_id}" not found')
    return answer(found)


def _wanted() -> dict[str, Any]:
    """A null counts as absent: clients send all attributes that they know."""
    return {name: value for name, value in body.checked(CHANGE).items() if value is not None}
