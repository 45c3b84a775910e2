"""``GET /executions/views/filters``: which values the filters of the list of executions can usefully have."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.http import query
from st2common.http.authorization import needs
from st2common.http.responses import answer
from st2common.http.visible_executions import visible
from st2common.models import execution_list
from st2common.models.connection import Document
from st2common.models.execution_list import FILTERS, Selection

_NAMES = ("action", "status", "rule", "runner", "trigger", "trigger_type", "user")

# The values are those of this many executions, the newest ones: a database finds the different values of a field by
# reading every document.
NEWEST = 2000

routes = Blueprint("execution_filters", __name__, url_prefix="/executions/views/filters")


@routes.get("")
@needs("execution_views_filters_list")
def list_values() -> Response:
    """``{filter: [values]}``; of all filters, or of those that the comma list ``types`` names."""
    wanted = query.comma_list("types")
    names = [name for name in _NAMES if not wanted or name in wanted]
    projection = {FILTERS[name]: 1 for name in names} or {"_id": 1}
    newest = execution_list.find(api().executions.collection, visible(Selection()), NEWEST, projection=projection)
    return answer({name: _values(newest, FILTERS[name]) for name in names})


def _values(executions: list[Document], path: str) -> list[str]:
    found = {value for stored in executions if isinstance(value := _at(stored, path), str)}
    return sorted(found)


def _at(stored: Any, path: str) -> Any:
    for name in path.split("."):
        stored = stored.get(name) if isinstance(stored, dict) else None
    return stored
