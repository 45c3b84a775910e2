"""Keys and values of the datastore."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from pymongo import ASCENDING, DESCENDING

from st2api.context import api
from st2common.datastore.crypto import KeyFile
from st2common.http import body, query
from st2common.http.paging import Page
from st2common.http.responses import answer, no_content
from st2common.services.keys import Caller, Datastore, NewItem

# Seconds: a hundred years. Times beyond the year 9999 cannot be written.
_MAX_TTL = 100 * 366 * 24 * 3600

_TEXT_OR_NULL = {"type": ["string", "null"]}
_FLAG = {"type": ["boolean", "null"]}

#: A new value. Clients send the whole item, with ids and names that do not count: the path names the key.
SET: dict[str, Any] = {
    "type": "object",
    "required": ["value"],
    "properties": {
        "value": {"type": "string"},
        "scope": _TEXT_OR_NULL,
        "user": _TEXT_OR_NULL,
        "secret": _FLAG,
        "encrypted": _FLAG,
        "ttl": {"type": ["integer", "null"], "minimum": 0, "maximum": _MAX_TTL},
        "description": {"type": ["string", "null"], "maxLength": 64 * 1024},
    },
}

_SORTED_BY = {"name": "name", "id": "_id", "scope": "scope"}

routes = Blueprint("keys", __name__, url_prefix="/keys")


@routes.get("")
def list_keys() -> Response:
    page = Page.of_request()
    found = _datastore().list_keys(
        _caller(),
        scope=query.text("scope"),
        user=query.text("user"),
        prefix=query.text("prefix") or "",
        names=query.comma_list("name"),
        decrypt=query.boolean("decrypt"),
        sort=_order(query.comma_list("sort")),
        limit=page.limit,
        offset=page.offset,
    )
    # No count of all: a page of both scopes is a page of each.
    return answer(found)


# Names may have slashes in them.
@routes.get("/<path:name>")
def get_key(name: str) -> Response:
    found = _datastore().get_key(
        _caller(),
        name,
        scope=query.text("scope"),
        user=query.text("user"),
        decrypt=query.boolean("decrypt"),
    )
    return answer(found)


@routes.put("/<path:name>")
def set_key(name: str) -> Response:
    wanted = body.checked(SET)
    item = NewItem(
        value=wanted["value"],
        secret=bool(wanted.get("secret")),
        encrypted=bool(wanted.get("encrypted")),
        ttl=wanted.get("ttl"),
        description=wanted.get("description"),
    )
    return answer(_datastore().set_key(_caller(), name, item, scope=wanted.get("scope"), user=wanted.get("user")))


@routes.delete("/<path:name>")
def delete_key(name: str) -> Response:
    _datastore().delete_key(_caller(), name, scope=query.text("scope"), user=query.text("user"))
    return no_content()


def _datastore() -> Datastore:
    return Datastore(api().database, KeyFile.of_config(api().config))


def _caller() -> Caller:
    return Caller(api().user, api().is_admin)


def _order(keys: list[str]) -> list[tuple[str, int]]:
    """``["-name"]`` -> ``[("name", -1)]``; keys that nothing is sorted by are skipped."""
    order = [
        (_SORTED_BY[key.lstrip("+-")], DESCENDING if key.startswith("-") else ASCENDING)
        for key in keys
        if key.lstrip("+-") in _SORTED_BY
    ]
    return order or [("name", ASCENDING)]
