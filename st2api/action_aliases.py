"""Action aliases: what people may say, which of it a command is, and help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.content.pack_files import DEFAULT_PACK
from st2common.errors import ValidationError
from st2common.expressions.regexes import IGNORE_CASE, Regex, RegexError
from st2common.http import body, query
from st2common.http.authorization import checks_objects, needs, require, require_name, require_new, rights
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer, no_content
from st2common.models import action_aliases
from st2common.models.connection import Document
from st2common.rbac.resolution import content_uids
from st2common.services.alias_execution import match_command
from st2common.services.alias_matching import displays_of
from st2common.services.content_changes import ACTION_ALIASES
from st2common.transport.port import SCHEMA_VERSION
from st2common.transport.topology import ACTIONALIAS

FIELDS = (
    "id",
    "uid",
    "ref",
    "pack",
    "name",
    "description",
    "enabled",
    "action_ref",
    "formats",
    "ack",
    "result",
    "extra",
    "immutable_parameters",
    "metadata_file",
)
# Characters of a regular expression.
_MAX_FILTER = 200

MATCH: dict[str, Any] = {
    "type": "object",
    "required": ["command"],
    "properties": {"command": {"type": "string"}},
}
#: The service checks the rest.
CHANGE: dict[str, Any] = {
    "type": "object",
    "required": ["name", "action_ref", "formats"],
    "properties": {"name": {"type": "string"}, "action_ref": {"type": "string"}, "formats": {"type": "array"}},
}

routes = Blueprint("action_aliases", __name__, url_prefix="/actionalias")


@routes.get("")
@needs("action_alias_list")
def list_aliases() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(FIELDS, FIELDS)
    found, total = action_aliases.find(query.texts(), page.limit, page.offset)
    return page.answer([attributes.select(alias, ("id", "ref")) for alias in found], total)


@routes.get("/<ref_or_id>")
@checks_objects
def get_one_alias(ref_or_id: str) -> Response:
    found = ACTION_ALIASES.get(ref_or_id)
    require("action_alias_view", *content_uids(found))
    return answer(found)


@routes.post("")
@checks_objects
def add_alias() -> Response:
    wanted = _wanted()
    require_new("action_alias", wanted.get("pack") or DEFAULT_PACK, wanted["name"])
    return answer(_told("create", ACTION_ALIASES.create(wanted)), 201)


@routes.put("/<ref_or_id>")
@checks_objects
def change_alias(ref_or_id: str) -> Response:
    wanted, earlier = _wanted(), ACTION_ALIASES.get(ref_or_id)
    require("action_alias_modify", *content_uids(earlier))
    require_name("action_alias", earlier, wanted)
    return answer(_told("update", ACTION_ALIASES.update(earlier["id"], wanted)))


@routes.delete("/<ref_or_id>")
@checks_objects
def remove_alias(ref_or_id: str) -> Response:
    require("action_alias_delete", *content_uids(ACTION_ALIASES.get(ref_or_id)))
    _told("delete", ACTION_ALIASES.delete(ref_or_id))
    return no_content()


@routes.post("/match")
@checks_objects
def match() -> Response:
    """The one alias that a command has."""
    alias, form = match_command(body.checked(MATCH)["command"])
    require("action_alias_match", *content_uids(alias))
    return answer({"actionalias": alias, "display": form.display, "representation": form.representation})


@routes.get("/help")
@checks_objects
def show_help() -> Response:
    """What people may say, of enabled aliases; ``filter`` is a regular expression."""
    page = Page.of_request(default_limit=None)
    shown = _filter()
    found, _ = action_aliases.find({"pack": query.text("pack") or ""})
    helpstrings = [
        {"pack": alias["pack"], "display": display, "description": alias["description"]}
        for alias in found
        if alias["enabled"] and rights().allows("action_alias_help", *content_uids(alias))
        for display in displays_of(alias)
        if shown(display)
    ]
    return answer({"available": len(helpstrings), "helpstrings": page.cut(helpstrings)})


def _filter() -> Callable[[str], bool]:
    """Whether somebody wants to see a help string."""
    text = query.text("filter")
    if not text:
        return lambda _display: True
    if len(text) > _MAX_FILTER:
        raise ValidationError(f'Parameter "filter" is longer than {_MAX_FILTER} characters')
    try:
        pattern = Regex(text, IGNORE_CASE)
    except RegexError as error:
        raise ValidationError(f'Parameter "filter": {error}') from None
    return lambda display: _found(pattern, display)


def _found(pattern: Regex, display: str) -> bool:
    try:
        return pattern.search(display) is not None
    except RegexError as error:
        raise ValidationError(f'Parameter "filter": {error}') from None


def _told(key: str, alias: Document) -> Document:
    """Each change is an event of the exchange ``st2.actionalias``."""
    api().transport.notify(ACTIONALIAS, key, {"v": SCHEMA_VERSION, "alias": alias})
    return alias


def _wanted() -> dict[str, Any]:
    wanted: dict[str, Any] = body.checked(CHANGE, nulls_are_absent=True)
    return wanted
