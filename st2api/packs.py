"""Packs: the directories of content that are registered, and registering them."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.content import paths, registrar
from st2common.content.report import Report
from st2common.errors import NotFound, ValidationError
from st2common.http import body, query
from st2common.http.authorization import checks_objects, needs, require
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer
from st2common.models import packs
from st2common.models.connection import Document

LOG = logging.getLogger(__name__)

FIELDS = (
    "id",
    "uid",
    "ref",
    "name",
    "description",
    "keywords",
    "version",
    "stackstorm_version",
    "python_versions",
    "author",
    "email",
    "contributors",
    "dependencies",
    "files",
    "system",
    "path",
)

_NAMES: dict[str, Any] = {"type": ["array", "null"], "items": {"type": "string", "minLength": 1}, "maxItems": 1000}
REGISTER: dict[str, Any] = {
    "type": "object",
    "properties": {"types": _NAMES, "packs": _NAMES, "fail_on_failure": {"type": ["boolean", "null"]}},
}
UNREGISTER: dict[str, Any] = {
    "type": "object",
    "required": ["packs"],
    "properties": {"packs": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1000}},
}

_ALL = "all"
#: What clients call the kinds of content, in the singular; the plural is our own name.
_SINGULARS = {
    "runner": "runners",
    "action": "actions",
    "trigger": "triggers",
    "sensor": "sensors",
    "rule": "rules",
    "rule_type": "rule_types",
    "alias": "aliases",
    "policy_type": "policy_types",
    "policy": "policies",
    "config": "configs",
}

routes = Blueprint("packs", __name__, url_prefix="/packs")


@routes.get("")
@needs("pack_list")
def list_packs() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(FIELDS, FIELDS)
    found, total = packs.find(query.texts(), page.limit, page.offset)
    return page.answer([attributes.select(pack, ("id", "ref")) for pack in found], total)


@routes.get("/<ref_or_id>")
@checks_objects
def get_pack(ref_or_id: str) -> Response:
    found = find_pack(ref_or_id)
    require("pack_view", found["uid"])
    return answer(found)


@routes.post("/register")
@needs("pack_register")
def register_packs() -> Response:
    """{kind: how many were registered}. A broken file is an error unless ``fail_on_failure`` is false."""
    wanted = body.checked(REGISTER)
    kinds = _kinds(wanted.get("types") or [_ALL])
    report = Report(dict.fromkeys(kinds, 0))
    directories = None
    if wanted.get("packs"):
        directories = [_directory(name) for name in dict.fromkeys(wanted["packs"])]
    registrar.register(api().config, kinds, directories, report)
    if report.errors and wanted.get("fail_on_failure") is not False:
        raise ValidationError("\n".join(report.errors))
    LOG.info("Content was registered by %s: %s", api().user, report.counts)
    return answer(report.counts)


@routes.post("/unregister")
@needs("pack_uninstall")
def unregister_packs() -> Response:
    """{kind: how many were forgotten}. Files stay where they are; packs of the platform are kept."""
    names = body.checked(UNREGISTER)["packs"]
    kept = sorted(set(names) & paths.PROTECTED_PACKS)
    if kept:
        raise ValidationError(f"{', '.join(kept)}: the platform cannot do without these packs")
    counts: dict[str, int] = {}
    for name in names:
        for kind, count in registrar.unregister(name).items():
            counts[kind] = counts.get(kind, 0) + count
    LOG.info("Packs %s were unregistered by %s", names, api().user)
    return answer(counts)


def find_pack(ref_or_id: str) -> Document:
    found = packs.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    return found


def _kinds(types: list[str]) -> list[str]:
    kinds = [_SINGULARS.get(name, name) for name in types]
    unknown = sorted(set(kinds) - {_ALL, *_SINGULARS.values()})
    if unknown:
        raise ValidationError(f"{', '.join(unknown)}: no such type of content")
    return list(registrar.KINDS) if _ALL in kinds else kinds


def _directory(name: str) -> Any:
    found = paths.pack_directory(api().config, name) if paths.is_reference(name) else None
    if found is None:
        raise ValidationError(f'Pack "{name}" not found on disk in the directories of packs.')
    return found
