"""Actions: what can be run, and views of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response

from st2common.errors import NotFound
from st2common.http import query
from st2common.http.authorization import checks_objects, needs, require
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer
from st2common.models import actions, packs, runner_types
from st2common.rbac.resolution import content_uids

Document = dict[str, Any]

FIELDS = (
    "id",
    "uid",
    "ref",
    "pack",
    "name",
    "description",
    "enabled",
    "entry_point",
    "runner_type",
    "parameters",
    "output_schema",
    "notify",
    "tags",
    "metadata_file",
)
_EXCLUDABLE = ("parameters", "notify")
_ALWAYS = ("id", "ref")

# Files of a pack larger than this are no entry points that anybody reads.
_MAX_ENTRY_POINT_BYTES = 1024 * 1024
_TEXT_TYPES = {".yaml": "application/x-yaml", ".yml": "application/x-yaml", ".py": "application/x-python"}

routes = Blueprint("actions", __name__, url_prefix="/actions")


@routes.get("")
@needs("action_list")
def list_actions() -> Response:
    page, attributes = Page.of_request(default_limit=None), Attributes.of_request(FIELDS, _EXCLUDABLE)
    found, total = actions.find(query.texts(), page.limit, page.offset)
    return page.answer([attributes.select(action, _ALWAYS) for action in found], total)


@routes.get("/<ref_or_id>")
@checks_objects
def get_action(ref_or_id: str) -> Response:
    return answer(_action(ref_or_id))


@routes.get("/views/overview")
@needs("action_list")
def list_overviews() -> Response:
    page, attributes = Page.of_request(default_limit=None), Attributes.of_request(FIELDS, _EXCLUDABLE)
    found, total = actions.find(query.texts(), page.limit, page.offset)
    runners, _ = runner_types.find({})
    parameters = {runner["name"]: runner["runner_parameters"] for runner in runners}
    merged = [{**action, "parameters": _merged(action, parameters)} for action in found]
    return page.answer([attributes.select(action, _ALWAYS) for action in merged], total)


@routes.get("/views/overview/<ref_or_id>")
@checks_objects
def get_overview(ref_or_id: str) -> Response:
    action = _action(ref_or_id)
    return answer({**action, "parameters": _all_parameters(action)})


@routes.get("/views/parameters/<ref_or_id>")
@checks_objects
def get_parameters(ref_or_id: str) -> Response:
    return answer({"parameters": _all_parameters(_action(ref_or_id))})


@routes.get("/views/entry_point/<ref_or_id>")
@checks_objects
def get_entry_point(ref_or_id: str) -> Response:
    """The text of the action's file."""
    action = _action(ref_or_id)
    pack = packs.get(action["pack"])
    if not action["entry_point"] or pack is None:
        raise NotFound(f'Action "{action["ref"]}" has no entry point')
    directory = Path(pack["path"]).resolve() / "actions"
    path = (directory / action["entry_point"]).resolve()
    # Metadata may name any path; only what belongs to the pack is for everybody's eyes.
    if not path.is_relative_to(directory.parent) or not path.is_file():
        raise NotFound(f'The entry point of action "{action["ref"]}" is not there')
    with path.open("rb") as file:
        text = file.read(_MAX_ENTRY_POINT_BYTES)
    # Never a type that a browser would run in the name of this origin.
    return Response(text, content_type=_TEXT_TYPES.get(path.suffix, "text/plain"))


def _action(ref_or_id: str) -> Document:
    found = actions.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    require("action_view", *content_uids(found))
    return found


def _all_parameters(action: Document) -> Document:
    runner = runner_types.get(action["runner_type"])
    return _merged(action, {action["runner_type"]: runner["runner_parameters"]} if runner else {})


def _merged(action: Document, runner_parameters: dict[str, Document]) -> Document:
    """The parameters of the runner, each with what the action says about it, then those of the action alone."""
    inherited = runner_parameters.get(action["runner_type"], {})
    own = action["parameters"]
    return {name: {**inherited.get(name, {}), **own.get(name, {})} for name in {**inherited, **own}}
