"""The metadata of a trigger type: its closed schema, and schemas that payloads and parameters can be checked with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import SchemaError, best_match

from st2common.content.errors import ContentError
from st2common.models.connection import Document
from st2common.services.draft4 import to_draft4

_TEXT = {"type": "string"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
# Characters: an objection quotes what it objects to.
_MAX_MESSAGE = 500

#: Of a pack.
DIRECTORY = "triggers"

_TRIGGER_TYPE = Draft4Validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "pack"],
        "properties": {
            "id": _TEXT,
            "ref": _TEXT,
            "uid": _TEXT,
            "name": _NAME,
            "pack": _NAME,
            "description": _TEXT,
            "payload_schema": {"type": "object"},
            "parameters_schema": {"type": "object"},
            "tags": {"type": "array", "items": {"type": "object"}},
            "metadata_file": _TEXT,
        },
    }
)


def complete(metadata: Mapping[str, Any]) -> Document:
    """The metadata, found right.

    Raises:
        ContentError: what is wrong first.
    """
    error = best_match(_TRIGGER_TYPE.iter_errors(metadata))
    if error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise ContentError(f"{place}: {error.message}" if place else error.message)
    for name in ("payload_schema", "parameters_schema"):
        try:
            Draft4Validator.check_schema(to_draft4(metadata.get(name) or {}))
        except (SchemaError, AttributeError, TypeError) as fault:
            reason = fault.message if isinstance(fault, SchemaError) else str(fault)
            raise ContentError(f"{name}: it is not a JSON schema: {reason[:_MAX_MESSAGE]}") from None
    return dict(metadata)
