"""Roles, who has them, and which permissions there are. For administrators."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.errors import NotFound
from st2common.http import query
from st2common.http.responses import answer
from st2common.models.roles import Roles
from st2common.rbac import permissions

# No route is marked: that is what makes them the administrators'.
routes = Blueprint("rbac", __name__, url_prefix="/rbac")


@routes.get("/roles")
def list_roles() -> Response:
    system = query.boolean("system") if query.text("system") else None
    return answer(_roles().find(system=system))


@routes.get("/roles/<name_or_id>")
def get_role(name_or_id: str) -> Response:
    found = _roles().get(name_or_id)
    if found is None:
        raise _unknown(name_or_id)
    return answer(found)


@routes.get("/role_assignments")
def list_assignments() -> Response:
    filters: dict[str, Any] = {name: text for name in ("user", "role", "source") if (text := query.text(name))}
    if query.text("remote"):
        filters["is_remote"] = query.boolean("remote")
    return answer(_roles().find_assignments(filters))


@routes.get("/role_assignments/<assignment_id>")
def get_assignment(assignment_id: str) -> Response:
    found = _roles().get_assignment(assignment_id)
    if found is None:
        raise _unknown(assignment_id)
    return answer(found)


@routes.get("/permission_types")
def list_permission_types() -> Response:
    """{type of resource: its permissions}"""
    return answer({resource_type: permissions.names(resource_type) for resource_type in permissions.VERBS})


@routes.get("/permission_types/<resource_type>")
def get_permission_types(resource_type: str) -> Response:
    if resource_type not in permissions.VERBS:
        raise NotFound(f'Invalid resource type: "{resource_type}"')
    return answer(permissions.names(resource_type))


def _roles() -> Roles:
    return Roles(api().database)


def _unknown(name_or_id: str) -> NotFound:
    return NotFound(f'Unable to identify resource with id "{name_or_id}".')
