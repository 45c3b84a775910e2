"""The files of packs."""

from __future__ import annotations

import mimetypes
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from flask import Blueprint, Response, request

from st2api.packs import find_pack
from st2common.errors import NotFound
from st2common.http.authorization import checks_objects, require
from st2common.http.responses import answer
from st2common.models.connection import Document

# Larger files are not shown in lists, and only as a part of a pack's files by their own address.
_MAX_LISTED_BYTES = 500_000
_MAX_BYTES = 32 * 1024 * 1024
# What all files of one answer may have.
_MAX_ANSWER_BYTES = 16 * 1024 * 1024
# A browser shows these; anything else is text, so that no pack runs scripts in the name of this origin.
_SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/gif"})
_TEXT_TYPES = {".yaml": "application/x-yaml", ".yml": "application/x-yaml", ".py": "application/x-python"}

# Pages show it beside the names of packs; everybody may see it.
_ICON = "icon.png"

routes = Blueprint("pack_views", __name__, url_prefix="/packs/views")


@routes.get("/files/<ref_or_id>")
@checks_objects
def list_files(ref_or_id: str) -> Response:
    """``[{"file_path", "content"}]`` of the files that are text and not too large."""
    pack = find_pack(ref_or_id)
    require("pack_view", pack["uid"])
    files, size = [], 0
    for name in pack["files"]:
        path = _inside(pack, name)
        if path is None or path.stat().st_size > _MAX_LISTED_BYTES:
            continue
        content = path.read_bytes().decode(errors="replace")
        size += len(content)
        if size > _MAX_ANSWER_BYTES:
            break
        files.append({"file_path": name, "content": content})
    return answer(files)


@routes.get("/file/<ref_or_id>/<path:file_path>")
@checks_objects
def get_file(ref_or_id: str, file_path: str) -> Response:
    """The file itself; 304 where the client has it already."""
    pack = find_pack(ref_or_id)
    if file_path != _ICON:
        require("pack_view", pack["uid"])
    path = _inside(pack, file_path)
    if path is None:
        raise NotFound(f'File "{file_path}" not found')
    with path.open("rb") as file:
        return _conditional(path, file)


def _conditional(path: Path, file: BinaryIO) -> Response:
    found = path.stat()
    if found.st_size > _MAX_BYTES:
        raise NotFound(f'File "{path.name}" is larger than {_MAX_BYTES} bytes')
    response = Response(file.read(_MAX_BYTES), content_type=_content_type(path))
    response.set_etag(f"{found.st_mtime_ns:x}-{found.st_size:x}")
    response.last_modified = datetime.fromtimestamp(found.st_mtime, UTC)
    response.make_conditional(request)
    return response


def _inside(pack: Document, name: str) -> Path | None:
    """The file, if it is one and lies in the pack, links followed."""
    root = Path(pack["path"]).resolve()
    try:
        path = (root / name).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, not text of a path, links that lead in a circle
        return None


def _content_type(path: Path) -> str:
    if path.suffix in _TEXT_TYPES:
        return _TEXT_TYPES[path.suffix]
    guessed = mimetypes.guess_type(path.name)[0]
    return guessed if guessed in _SHOWN_TYPES else "text/plain; charset=utf-8"
