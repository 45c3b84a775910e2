"""Actions that are made, changed, copied and deleted over HTTP."""

from __future__ import annotations

import os
import socket
from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.content.pack_files import DEFAULT_PACK
from st2common.errors import NotFound, ValidationError
from st2common.http import body
from st2common.http.authorization import checks_objects, require, require_new
from st2common.http.responses import answer, no_content
from st2common.models import actions as models
from st2common.models.trigger_types import FILE_WRITTEN
from st2common.rbac.resolution import content_uids
from st2common.services import actions

_DATA_FILES: dict[str, Any] = {
    "type": "array",
    "maxItems": 1000,
    "items": {
        "type": "object",
        "required": ["file_path", "content"],
        "additionalProperties": False,
        "properties": {
            "file_path": {"type": "string", "minLength": 1, "maxLength": 1024},
            "content": {"type": "string"},
        },
    },
}
#: Beside the metadata of the action, which the service checks.
CHANGE: dict[str, Any] = {
    "type": "object",
    "required": ["name", "runner_type"],
    "properties": {"name": {"type": "string"}, "runner_type": {"type": "string"}, "data_files": _DATA_FILES},
}
DELETE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"remove_files": {"type": "boolean"}},
}
CLONE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["dest_pack", "dest_action"],
    "properties": {
        "dest_pack": {"type": "string", "minLength": 1},
        "dest_action": {"type": "string", "minLength": 1, "maxLength": 200},
        "overwrite": {"type": "boolean"},
    },
}

routes = Blueprint("action_changes", __name__, url_prefix="/actions")


@routes.post("")
@checks_objects
def create_action() -> Response:
    metadata, data_files = _wanted()
    require_new("action", metadata.get("pack", DEFAULT_PACK), metadata["name"])
    created = actions.create_action(api().config, metadata, data_files)
    _tell_written(created["ref"], data_files)
    return answer(created, 201)


@routes.put("/<ref_or_id>")
@checks_objects
def update_action(ref_or_id: str) -> Response:
    metadata, data_files = _wanted()
    earlier = _require("action_modify", ref_or_id)
    pack = metadata.get("pack", DEFAULT_PACK)
    if (earlier["pack"], earlier["name"]) != (pack, metadata["name"]):
        require_new("action", pack, metadata["name"])
    updated = actions.update_action(api().config, ref_or_id, metadata, data_files)
    _tell_written(updated["ref"], data_files)
    return answer(updated)


@routes.delete("/<ref_or_id>")
@checks_objects
def delete_action(ref_or_id: str) -> Response:
    # Clients send this body without a content type.
    wanted = body.checked(DELETE)
    _require("action_delete", ref_or_id)
    actions.delete_action(api().config, ref_or_id, remove_files=wanted.get("remove_files", False))
    return no_content()


@routes.post("/<ref_or_id>/clone")
@checks_objects
def clone_action(ref_or_id: str) -> Response:
    wanted = body.checked(CLONE)
    name = wanted["dest_action"]
    if "." in wanted["dest_pack"]:
        raise ValidationError("dest_pack: the name of a pack has no dot in it")
    _require("action_view", ref_or_id)
    require_new("action", wanted["dest_pack"], name)
    if wanted.get("overwrite") and models.get(f"{wanted['dest_pack']}.{name}"):
        _require("action_modify", f"{wanted['dest_pack']}.{name}")
    copy = actions.clone_action(
        api().config, ref_or_id, wanted["dest_pack"], name, overwrite=wanted.get("overwrite", False)
    )
    return answer(copy, 201)


def _require(permission: str, ref_or_id: str) -> dict[str, Any]:
    """
    Raises:
        NotFound: there is no such action.
        AccessDenied: the user has not this permission on it.
    """
    found = models.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    require(permission, *content_uids(found))
    return found


def _wanted() -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Metadata and files. A null counts as absent: clients send all attributes that they know."""
    wanted = body.checked(CHANGE)
    metadata = {name: value for name, value in wanted.items() if name != "data_files" and value is not None}
    return metadata, wanted.get("data_files") or []


def _tell_written(ref: str, data_files: list[dict[str, Any]]) -> None:
    host = {"hostname": socket.gethostname(), "pid": os.getpid()}
    for file in data_files:
        api().tell({FILE_WRITTEN: {"ref": ref, "file_path": file["file_path"], "host_info": host}})
