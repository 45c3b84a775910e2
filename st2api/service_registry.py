"""Which processes of the platform live. For administrators."""

from __future__ import annotations

from flask import Blueprint, Response

from st2api.context import api
from st2common.errors import NotFound
from st2common.http.responses import answer
from st2common.models.members import Members

# No route is marked: that is what makes them the administrators'.
routes = Blueprint("service_registry", __name__, url_prefix="/service_registry")


@routes.get("/groups")
def list_groups() -> Response:
    return answer({"groups": Members(api().database).groups()})


@routes.get("/groups/<group_id>/members")
def list_members(group_id: str) -> Response:
    found = Members(api().database).of_group(group_id)
    if not found:
        raise NotFound(f'Group with ID "{group_id}" not found.')
    return answer({"members": found})
