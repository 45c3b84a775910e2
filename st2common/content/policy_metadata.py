"""The metadata of a policy: its closed schema, and the parameters that its type has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from st2common.content.errors import ContentError
from st2common.models import policy_types
from st2common.models.connection import Document
from st2common.services.draft4 import to_draft4

_TEXT = {"type": "string"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}

_POLICY = Draft4Validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "resource_ref", "policy_type"],
        "properties": {
            "id": _TEXT,
            "ref": _TEXT,
            "uid": _TEXT,
            "name": _NAME,
            "pack": _NAME,
            "description": _TEXT,
            "enabled": {"type": "boolean"},
            "resource_ref": {"type": "string", "pattern": r"^[^.]+\..+$"},
            "policy_type": _NAME,
            "parameters": {"type": "object"},
            "metadata_file": _TEXT,
        },
    }
)


def complete(metadata: Mapping[str, Any]) -> Document:
    """The metadata with the defaults of its type filled in.

    Raises:
        ContentError: what is wrong first.
    """
    _check(_POLICY, metadata, "")
    known = policy_types.get(metadata["policy_type"])
    if known is None:
        raise ContentError(f'policy_type: there is no policy type "{metadata["policy_type"]}"')
    defaults = {name: schema["default"] for name, schema in known["parameters"].items() if "default" in schema}
    given = {name: value for name, value in (metadata.get("parameters") or {}).items() if value is not None}
    parameters = {**defaults, **given}
    closed = {"type": "object", "additionalProperties": False, "properties": known["parameters"]}
    _check(Draft4Validator(to_draft4(closed)), parameters, "parameters")
    if known["ref"] == policy_types.CONCURRENCY_BY_ATTRIBUTES and not parameters.get("attributes"):
        raise ContentError("parameters: 'attributes' is a required property")
    return {**metadata, "parameters": parameters}


def _check(validator: Draft4Validator, value: Any, place: str) -> None:
    error = best_match(validator.iter_errors(value))
    if error:
        where = ".".join(part for part in (place, *map(str, error.absolute_path)) if part)
        raise ContentError(f"{where}: {error.message}" if where else error.message)
