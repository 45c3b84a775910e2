"""The manifest of a pack, ``pack.yaml``: its schema, its reference, and the files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from st2common.content.errors import ContentError
from st2common.content.paths import is_reference
from st2common.expressions import versions
from st2common.models.connection import Document

_RESERVED = frozenset({"_global"})

# What is listed of a pack: enough for every real one, while a checkout with a virtual environment stays a short list.
_MAX_FILES = 5_000
_HIDDEN = ("__pycache__", ".git", ".pyc")

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_MANIFEST = Draft4Validator(
    {
        "type": "object",
        "required": ["name", "description", "version", "author", "email"],
        "properties": {
            "name": _TEXT,
            "ref": {"type": "string", "pattern": "^[a-z0-9_]+$"},
            "description": {"type": "string"},
            "version": {"type": "string", "pattern": versions.PATTERN.pattern},
            "author": _TEXT,
            "email": {"type": "string", "pattern": "^[^@ ]+@[^@ ]+$"},
            "keywords": _TEXTS,
            "contributors": _TEXTS,
            "dependencies": _TEXTS,
            "stackstorm_version": {"type": "string"},
            "python_versions": {"type": "array", "items": {"enum": ["2", "3"]}},
            "system": {"type": "object"},
        },
    }
)


def complete(manifest: Mapping[str, Any], path: Path) -> Document:
    """The manifest of the pack at ``path``, checked, with ``ref``, ``files`` and ``path``.

    Raises:
        ContentError: what is wrong first.
    """
    filled: Document = {**manifest, "version": _version(manifest.get("version"))}
    error = best_match(_MANIFEST.iter_errors(filled))
    if error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise ContentError(f"{place}: {error.message}" if place else error.message)
    return {**filled, "ref": _reference(filled, path), "files": _files(path), "path": str(path)}


def _version(version: Any) -> Any:
    """YAML reads an unquoted ``1.0`` as a number, and people mean ``1.0.0`` by it."""
    if isinstance(version, int | float) and not isinstance(version, bool):
        version = str(version)
    return f"{version}.0" if isinstance(version, str) and re.match(r"^\d+\.\d+$", version) else version


def _reference(manifest: Mapping[str, Any], path: Path) -> str:
    for candidate in (manifest.get("ref"), path.name, manifest["name"]):
        if candidate and is_reference(candidate):
            if candidate in _RESERVED:
                raise ContentError(f'ref: "{candidate}" is reserved')
            return str(candidate)
    raise ContentError("ref: neither the name of the directory nor that of the pack can be its reference")


def _files(path: Path) -> list[str]:
    found: list[str] = []
    for file in sorted(path.rglob("*")):
        relative = str(file.relative_to(path))
        if file.is_file() and not any(part in relative for part in _HIDDEN):
            found.append(relative)
        if len(found) == _MAX_FILES:
            break
    return found
