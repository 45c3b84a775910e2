"""Runner types: how actions run."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2common.errors import NotFound
from st2common.http import body, query
from st2common.http.authorization import checks_objects, needs, require
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer
from st2common.models import runner_types

FIELDS = (
    "id",
    "uid",
    "name",
    "description",
    "enabled",
    "runner_package",
    "runner_module",
    "query_module",
    "runner_parameters",
    "output_key",
    "output_schema",
)

SWITCH: dict[str, Any] = {
    "type": "object",
    "required": ["enabled"],
    "properties": {"enabled": {"type": "boolean"}},
}

routes = Blueprint("runner_types", __name__, url_prefix="/runnertypes")


@routes.get("")
@needs("runner_type_list")
def list_runner_types() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(FIELDS, FIELDS)
    found, total = runner_types.find(query.texts(), page.limit, page.offset)
    return page.answer([attributes.select(runner) for runner in found], total)


@routes.get("/<name_or_id>")
@checks_objects
def get_runner_type(name_or_id: str) -> Response:
    found = runner_types.get(name_or_id)
    if found is None:
        raise _unknown(name_or_id)
    require("runner_type_view", found["uid"])
    return answer(found)


@routes.put("/<name_or_id>")
@checks_objects
def switch_runner_type(name_or_id: str) -> Response:
    """Only ``enabled`` is taken of the body."""
    wanted = body.checked(SWITCH)
    found = runner_types.get(name_or_id)
    if found is None:
        raise _unknown(name_or_id)
    require("runner_type_modify", found["uid"])
    changed = runner_types.set_enabled(name_or_id, wanted["enabled"])
    if changed is None:
        raise _unknown(name_or_id)
    return answer(changed)


def _unknown(name_or_id: str) -> NotFound:
    return NotFound(f'Resource with a name or id "{name_or_id}" not found')
