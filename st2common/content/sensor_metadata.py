"""The metadata of a sensor: its closed schema, and what follows from the files beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from st2common.content import trigger_type_metadata
from st2common.content.errors import ContentError
from st2common.models.connection import Document

#: Of a pack.
DIRECTORY = "sensors"

# Seconds. Polling more often is what a passive sensor is for.
_LEAST_POLL_INTERVAL = 4

_TEXT = {"type": "string"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}

_SENSOR = Draft4Validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["class_name", "entry_point"],
        "properties": {
            "class_name": {**_NAME, "pattern": r"^[A-Za-z_]\w*$"},
            "entry_point": _NAME,
            "description": _TEXT,
            "enabled": {"type": "boolean"},
            "pack": _NAME,
            "poll_interval": {"type": "integer", "minimum": _LEAST_POLL_INTERVAL},
            "trigger_types": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {
                        "name": _NAME,
                        "description": _TEXT,
                        "payload_schema": {"type": "object"},
                        "parameters_schema": {"type": "object"},
                        "tags": {"type": "array", "items": {"type": "object"}},
                    },
                },
            },
        },
    }
)


def complete(metadata: Mapping[str, Any], directory: Path) -> Document:
    """What is stored of the metadata of a sensor in the pack that lies in ``directory``.

    ``trigger_types`` are the complete metadata of each.

    Raises:
        ContentError: what is wrong first.
    """
    error = best_match(_SENSOR.iter_errors(metadata))
    if error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise ContentError(f"{place}: {error.message}" if place else error.message)
    stored = {name: value for name, value in metadata.items() if name not in ("class_name", "entry_point")}
    return {
        **stored,
        "name": metadata["class_name"],
        "file": str(_file(metadata["entry_point"], directory)),
        "digest": _digest(directory / DIRECTORY),
        "trigger_types": [
            trigger_type_metadata.complete({**trigger_type, "pack": metadata["pack"]})
            for trigger_type in metadata.get("trigger_types") or []
        ],
    }


def _file(entry_point: str, directory: Path) -> Path:
    pack = directory.resolve()
    file = (pack / DIRECTORY / entry_point).resolve()
    if not file.is_relative_to(pack):
        raise ContentError(f'entry_point: "{entry_point}" is not inside the pack')
    if not file.is_file():
        raise ContentError(f'entry_point: there is no file "{DIRECTORY}/{entry_point}" in the pack')
    return file


def _digest(directory: Path) -> str:
    """Of all Python files there."""
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*.py") if path.is_file()):
        digest.update(str(path.relative_to(directory)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
