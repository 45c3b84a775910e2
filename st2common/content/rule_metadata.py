"""The metadata of a rule: its closed schema, and criteria that can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from st2common.content.errors import ContentError
from st2common.errors import ValidationError
from st2common.models.connection import Document
from st2common.models.rules import BACKSTOP, STANDARD
from st2common.rules import criteria

_TEXT = {"type": "string"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_REFERENCE = {"type": "string", "pattern": r"^[^.]+\..+$"}
_OPEN = {"type": ["object", "null"]}
# Characters: an objection quotes what it objects to.
_MAX_MESSAGE = 500

_RULE = Draft4Validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "trigger", "action"],
        "properties": {
            "id": _TEXT,
            "ref": _TEXT,
            "uid": _TEXT,
            "name": _NAME,
            "pack": _NAME,
            "description": _TEXT,
            "enabled": {"type": "boolean"},
            "type": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"ref": {"enum": [STANDARD, BACKSTOP]}, "parameters": _OPEN},
            },
            "trigger": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type"],
                "properties": {"type": _REFERENCE, "parameters": _OPEN, "ref": _TEXT, "description": _TEXT},
            },
            "criteria": {"type": "object"},
            "action": {
                "type": "object",
                "additionalProperties": False,
                "required": ["ref"],
                "properties": {"ref": _REFERENCE, "parameters": _OPEN, "description": _TEXT},
            },
            "tags": {"type": "array", "items": {"type": "object"}},
            "context": {"type": "object"},
            "metadata_file": _TEXT,
        },
    }
)


def complete(metadata: Mapping[str, Any]) -> Document:
    """The metadata with the defaults filled in. Whether trigger and action exist shows elsewhere.

    Raises:
        ContentError: what is wrong first.
    """
    given = {name: value for name, value in metadata.items() if value is not None}
    error = best_match(_RULE.iter_errors(given))
    if error:
        place = ".".join(str(part) for part in error.absolute_path)
        message = error.message[:_MAX_MESSAGE]
        raise ContentError(f"{place}: {message}" if place else message)
    try:
        criteria.check(given.get("criteria") or {})
    except ValidationError as fault:
        raise ContentError(str(fault)) from fault
    kind = given.get("type") or {}
    return {
        **given,
        "type": {"ref": kind.get("ref") or STANDARD, "parameters": kind.get("parameters") or {}},
        "enabled": given.get("enabled", False),
    }
