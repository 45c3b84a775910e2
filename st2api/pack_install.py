"""Finding packs in the index, installing and removing them. The work is done by actions of the pack ``packs``."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.content import pack_index
from st2common.content.pack_index import PackIndex
from st2common.datastore.lookup import KeyAccess
from st2common.errors import ValidationError
from st2common.http import body
from st2common.http.authorization import needs
from st2common.http.responses import answer
from st2common.services import executions

_PACKS = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 2000}, "minItems": 1}
_FLAG = {"type": ["boolean", "null"]}
INSTALL: dict[str, Any] = {
    "type": "object",
    "required": ["packs"],
    "properties": {"packs": _PACKS, "force": _FLAG, "skip_dependencies": _FLAG},
}
UNINSTALL: dict[str, Any] = {"type": "object", "required": ["packs"], "properties": {"packs": _PACKS}}
SEARCH: dict[str, Any] = {
    "type": "object",
    "properties": {"query": {"type": ["string", "null"]}, "pack": {"type": ["string", "null"]}},
}

routes = Blueprint("pack_install", __name__, url_prefix="/packs")


@routes.post("/install")
@needs("pack_install")
def install() -> Response:
    wanted = body.checked(INSTALL)
    parameters = {
        "packs": wanted["packs"],
        "force": bool(wanted.get("force")),
        "skip_dependencies": bool(wanted.get("skip_dependencies")),
    }
    return _started("packs.install", parameters)


@routes.post("/uninstall")
@needs("pack_uninstall")
def uninstall() -> Response:
    return _started("packs.uninstall", {"packs": body.checked(UNINSTALL)["packs"]})


@routes.get("/index")
@needs("pack_search")
def get_index() -> Response:
    index = _index()
    return answer({"status": list(index.status), "index": dict(index.packs)})


@routes.get("/index/health")
@needs("pack_views_index_health")
def get_index_health() -> Response:
    return answer(_index().health())


@routes.post("/index/search")
@needs("pack_search")
def search_index() -> Response:
    """A list for ``query``; for ``pack`` the one with that name, or an empty list."""
    wanted = body.checked(SEARCH)
    if wanted.get("query"):
        return answer(_index().search(wanted["query"]))
    if wanted.get("pack"):
        return answer(_index().packs.get(wanted["pack"]) or [])
    raise ValidationError("Missing search parameters. Either query or pack must be given.")


def _index() -> PackIndex:
    return pack_index.fetch(api().config.content.index_url)


def _started(action_ref: str, parameters: dict[str, Any]) -> Response:
    stored = executions.request_execution(
        api().database,
        api().transport,
        action_ref=action_ref,
        parameters=parameters,
        user=api().user,
        context=api().told_context(),
        keys=KeyAccess.of_config(api().config),
        web_base_url=api().config.webui.webui_base_url,
    )
    return answer({"execution_id": str(stored["_id"])}, 202)
