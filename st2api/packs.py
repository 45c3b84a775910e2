"""Packs: the directories of content that are registered."""

from __future__ import annotations

from flask import Blueprint, Response

from st2common.errors import NotFound
from st2common.http import query
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer
from st2common.models import packs

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

routes = Blueprint("packs", __name__, url_prefix="/packs")


@routes.get("")
def list_packs() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(FIELDS, FIELDS)
    found, total = packs.find(query.texts(), page.limit, page.offset)
    return page.answer([attributes.select(pack, ("id", "ref")) for pack in found], total)


@routes.get("/<ref_or_id>")
def get_pack(ref_or_id: str) -> Response:
    found = packs.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    return answer(found)
