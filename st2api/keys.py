"""Keys and values of the datastore."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response
from pymongo import ASCENDING, DESCENDING

from st2api.context import api
from st2common.datastore.crypto import KeyFile
from st2common.http import body, query
from st2common.http.authentication import identity
from st2common.http.authorization import checks_objects, require, rights
from st2common.http.paging import Page
from st2common.http.responses import answer, no_content
from st2common.models.connection import Document
from st2common.models.keys import SYSTEM_SCOPE, USER_SCOPE
from st2common.services import registered_secrets
from st2common.services.keys import ALL_SCOPES, Caller, Datastore, NewItem, full_scope

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

# What the uids of the system's keys begin with.
_SYSTEM_UID = f"key_value_pair:{SYSTEM_SCOPE}:"

_SORTED_BY = {"name": "name", "id": "_id", "scope": "scope"}

routes = Blueprint("keys", __name__, url_prefix="/keys")


@routes.get("")
@checks_objects
def list_keys() -> Response:
    page = Page.of_request()
    user, asked = query.text("user"), query.comma_list("name")
    found: list[dict[str, Any]] = []
    for scope, names in _visible(query.text("scope"), user, asked):
        found += _datastore().list_keys(
            _caller(),
            scope=scope,
            user=user,
            prefix=query.text("prefix") or "",
            names=names,
            decrypt=query.boolean("decrypt"),
            sort=_order(query.comma_list("sort")),
            limit=page.limit,
            offset=page.offset,
        )
    _register_decrypted(found)
    # No count of all: a page of both scopes is a page of each.
    return answer(found)


# Names may have slashes in them.
@routes.get("/<path:name>")
@checks_objects
def get_key(name: str) -> Response:
    if not query.text("user"):
        scope = query.text("scope")
        _require("key_value_pair_view", None if scope == ALL_SCOPES else scope, name)
    found = _datastore().get_key(
        _caller(),
        name,
        scope=query.text("scope"),
        user=query.text("user"),
        decrypt=query.boolean("decrypt"),
    )
    _register_decrypted([found])
    return answer(found)


@routes.put("/<path:name>")
@checks_objects
def set_key(name: str) -> Response:
    wanted = body.checked(SET)
    _require("key_value_pair_set", wanted.get("scope"), name)
    item = NewItem(
        value=wanted["value"],
        secret=bool(wanted.get("secret")),
        encrypted=bool(wanted.get("encrypted")),
        ttl=wanted.get("ttl"),
        description=wanted.get("description"),
    )
    return answer(_datastore().set_key(_caller(), name, item, scope=wanted.get("scope"), user=wanted.get("user")))


@routes.delete("/<path:name>")
@checks_objects
def delete_key(name: str) -> Response:
    _require("key_value_pair_delete", query.text("scope"), name)
    _datastore().delete_key(_caller(), name, scope=query.text("scope"), user=query.text("user"))
    return no_content()


def _register_decrypted(items: Sequence[Document]) -> None:
    """What an action gets decrypted is masked in its output before the action has it."""
    execution_id = identity().execution_id
    secrets = [item["value"] for item in items if item["secret"] and not item["encrypted"]]
    if execution_id and secrets:
        registered_secrets.register(api().database, api().transport, execution_id, secrets)


def _require(permission: str, scope: str | None, name: str) -> None:
    """The system's keys need permissions. A user's own do not: the datastore keeps everybody else away from them."""
    if full_scope(scope) == SYSTEM_SCOPE:
        require(permission, f"{_SYSTEM_UID}{name}")


def _visible(scope: str | None, user: str | None, names: list[str]) -> list[tuple[str | None, list[str]]]:
    """The lists that together show what may be seen of a scope: (scope, names of its keys; empty: all)."""
    everything = scope == ALL_SCOPES
    if user or (not everything and full_scope(scope) != SYSTEM_SCOPE):
        return [(scope, names)]
    if not everything:
        require("key_value_pair_list")
    allowed = rights().uids("key_value_pair_view")
    lists = rights().allows("key_value_pair_list")
    if lists and allowed is None:
        return [(scope, names)]
    found: list[tuple[str | None, list[str]]] = []
    known = sorted(uid.removeprefix(_SYSTEM_UID) for uid in allowed or () if uid.startswith(_SYSTEM_UID))
    if lists and (listed := [name for name in known if not names or name in names]):
        found.append((SYSTEM_SCOPE, listed))
    return [*found, (USER_SCOPE, names)] if everything else found


def _datastore() -> Datastore:
    return Datastore(api().database, KeyFile.of_config(api().config), lambda changes: api().tell(changes.events()))


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
