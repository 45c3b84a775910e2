"""API keys: made, listed, disabled and deleted. A key is shown once, when it is made."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from flask import Blueprint, Response

from st2api.context import api
from st2common import clock
from st2common.auth.api_keys import MASK, ApiKeys, to_api
from st2common.errors import NotFound, ValidationError
from st2common.http import body
from st2common.http.authorization import checks_objects, needs, require
from st2common.http.paging import Page
from st2common.http.responses import answer, no_content

_DEFAULT_LIMIT = 50
_TEXT = {"type": ["string", "null"]}

#: What a client may send. Clients send back the whole object that they got: what does not count is ignored.
OBJECT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "id": _TEXT,
        "uid": _TEXT,
        "user": {**_TEXT, "maxLength": 1024},
        "key_hash": {**_TEXT, "maxLength": 256},
        "metadata": {"type": ["object", "null"]},
        "created_at": _TEXT,
        "enabled": {"type": ["boolean", "null"]},
    },
}

routes = Blueprint("apikeys", __name__, url_prefix="/apikeys")


@routes.get("")
@needs("api_key_list")
def list_keys() -> Response:
    page = Page.of_request(_DEFAULT_LIMIT)
    found, total = _keys().find(page.limit, page.offset)
    return page.answer([to_api(stored, _masks()) for stored in found], total)


@routes.get("/<id_or_key>")
@checks_objects
def get_key(id_or_key: str) -> Response:
    found = _keys().get(id_or_key)
    if found is None:
        raise _unknown()
    require("api_key_view", found["uid"])
    return answer(to_api(found, _masks()))


@routes.post("")
@needs("api_key_create")
def create_key() -> Response:
    wanted = body.checked(OBJECT)
    if wanted.get("id") and not ObjectId.is_valid(wanted["id"]):
        raise ValidationError(f'"{wanted["id"]}" is not an id: 24 hexadecimal digits are.')
    stored, key = _keys().create(
        api().owner(wanted.get("user")),
        metadata=wanted.get("metadata"),
        enabled=wanted.get("enabled") is not False,
        key_hash=_given_hash(wanted),
        identity=wanted.get("id"),
        created_at=_given_time(wanted),
    )
    shown = to_api(stored)
    del shown["key_hash"]
    return answer({**shown, "key": key}, 201)


@routes.put("/<id_or_key>")
@checks_objects
def change_key(id_or_key: str) -> Response:
    wanted = body.checked(OBJECT)
    found = _keys().get(id_or_key)
    if found is None:
        raise _unknown()
    require("api_key_modify", found["uid"])
    given_hash = _given_hash(wanted)
    if given_hash and given_hash != found["key_hash"]:
        raise ValidationError("The key_hash of an API key cannot be changed.")
    changed = _keys().change(
        id_or_key,
        user=api().owner(wanted.get("user") or found["user"]),
        metadata=found["metadata"] if wanted.get("metadata") is None else wanted["metadata"],
        enabled=found["enabled"] if wanted.get("enabled") is None else wanted["enabled"],
    )
    if changed is None:
        raise _unknown()
    return answer(to_api(changed, _masks()))


@routes.delete("/<id_or_key>")
@checks_objects
def delete_key(id_or_key: str) -> Response:
    found = _keys().get(id_or_key)
    if found is not None:
        require("api_key_delete", found["uid"])
    if not _keys().delete(id_or_key):
        raise _unknown()
    return no_content()


def _keys() -> ApiKeys:
    return ApiKeys(api().database)


def _masks() -> bool:
    return api().masks_secrets() or not api().is_admin


def _unknown() -> NotFound:
    # What was asked for may be a key: it is not repeated.
    return NotFound("ApiKey with the given key or id not found.")


def _given_hash(wanted: dict[str, Any]) -> str | None:
    given: str | None = wanted.get("key_hash")
    return given if given and given != MASK else None


def _given_time(wanted: dict[str, Any]) -> int | None:
    if not wanted.get("created_at"):
        return None
    try:
        return clock.parse(wanted["created_at"])
    except ValueError as error:
        raise ValidationError(str(error)) from None
