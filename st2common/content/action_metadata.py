"""The metadata of an action: its closed schema, and the rules that a schema cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from st2common.content import value_schema
from st2common.content.errors import ContentError
from st2common.models.connection import Document
from st2common.services.parameters import OVERRIDABLE

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}

_NOTIFICATION = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "message": _TEXT,
        "data": {"type": "object"},
        "routes": {"type": "array"},
        "channels": {"type": "array"},
    },
}

#: Who is told when an execution ends: of an action, and of one execution.
NOTIFY: Document = {
    "type": "object",
    "additionalProperties": False,
    "properties": dict.fromkeys(("on-complete", "on-success", "on-failure"), _NOTIFICATION),
}

_ACTION = Draft4Validator(
    {
        "definitions": {"schema": value_schema.SCHEMA},
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "runner_type"],
        "properties": {
            "id": _TEXT,
            "ref": _TEXT,
            "uid": _TEXT,
            "name": {"type": "string", "minLength": 1},
            "pack": _TEXT,
            "description": _TEXT,
            "enabled": _FLAG,
            "entry_point": _TEXT,
            "runner_type": {"type": "string", "minLength": 1},
            "parameters": {
                "type": "object",
                "additionalProperties": False,
                "patternProperties": {r"^\w+$": value_schema.REFERENCE},
            },
            "output_schema": {"type": "object"},
            "tags": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": False,
                    "properties": {"name": _TEXT, "value": {}},
                },
            },
            "notify": NOTIFY,
            "metadata_file": _TEXT,
        },
    }
)


def check(metadata: Mapping[str, Any], runner_parameters: Mapping[str, Document], pack_path: Path) -> None:
    """Whether this is the metadata of an action in the pack at ``pack_path``, for a runner with these parameters.

    Raises:
        ContentError: what is wrong first.
    """
    error = best_match(_ACTION.iter_errors(metadata))
    if error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise ContentError(f"{place}: {error.message}" if place else error.message)
    parameters = metadata.get("parameters") or {}
    for name, schema in parameters.items():
        inherited = runner_parameters.get(name)
        if inherited is not None:
            _check_override(name, schema, inherited)
        _check_immutable(name, {**(inherited or {}), **schema})
        value_schema.check_patterns(f"parameters.{name}", schema)
    _check_positions({**runner_parameters, **parameters})
    _check_entry_point(metadata.get("entry_point") or "", pack_path)


def _check_override(name: str, schema: Document, inherited: Document) -> None:
    if inherited.get("immutable"):
        raise ContentError(f'parameters.{name}: the runner\'s parameter "{name}" is immutable')
    for keyword, value in schema.items():
        if keyword not in OVERRIDABLE and value != inherited.get(keyword):
            raise ContentError(f'parameters.{name}: "{keyword}" of the runner\'s parameter cannot be overridden')


def _check_immutable(name: str, schema: Document) -> None:
    if schema.get("immutable") and "default" not in schema:
        raise ContentError(f"parameters.{name}: an immutable parameter needs a default")


def _check_positions(parameters: Mapping[str, Document]) -> None:
    positions = sorted(schema["position"] for schema in parameters.values() if "position" in schema)
    if positions and positions != list(range(positions[0], positions[0] + len(positions))):
        raise ContentError(f"parameters: the positions {positions} are not each one after the other")


def _check_entry_point(entry_point: str, pack_path: Path) -> None:
    pack = pack_path.resolve()
    if entry_point and not (pack / "actions" / entry_point).resolve().is_relative_to(pack):
        raise ContentError(f'entry_point: "{entry_point}" is not inside the pack')
