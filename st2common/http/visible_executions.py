"""Finding the executions that whoever sent the current request may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pymongo.collection import Collection

from st2common.errors import ValidationError
from st2common.http.authorization import denied, rights
from st2common.models import execution_list
from st2common.models.connection import Document
from st2common.models.execution_list import Selection
from st2common.rbac import executions


def find_execution(
    collection: Collection[Document],
    id_or_last: str,
    projection: Mapping[str, int] | None = None,
    permission: str = executions.VIEW,
) -> Document:
    """The stored execution with this id, or where it is ``last`` the newest that may be seen.

    Raises:
        AccessDenied: the user has not ``permission`` on it.
        NotFound: there is none with this id.
        ValidationError: there is none at all.
    """
    if rights().is_admin:
        return execution_list.find_execution(collection, id_or_last, projection)
    if id_or_last == "last":
        newest = execution_list.find(
            collection, visible(Selection({"parent": None})), limit=1, projection=executions.FIELDS
        )
        if not newest:
            raise ValidationError("No executions found in the database")
        found = newest[0]
    else:
        found = execution_list.find_execution(collection, id_or_last, executions.FIELDS)
    if not executions.may(rights(), permission, found):
        raise denied(permission, f"execution:{found['_id']}")
    return execution_list.find_execution(collection, str(found["_id"]), projection)


def visible(selection: Selection) -> Selection:
    """What of a selection may be seen."""
    more = executions.conditions(rights())
    return replace(selection, conditions={**selection.conditions, **more}) if more else selection
