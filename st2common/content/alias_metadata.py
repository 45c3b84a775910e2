"""The metadata of an action alias: its closed schema, and formats that can be matched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from st2common.content.errors import ContentError
from st2common.errors import ValidationError
from st2common.models.connection import Document
from st2common.services.alias_matching import check, formats_of

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_OPEN = {"type": "object"}
# Characters. A format is compiled; what a person says is shorter.
_FORMAT = {"type": "string", "maxLength": 2000}

_ALIAS = Draft4Validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "action_ref", "formats"],
        "properties": {
            "id": _TEXT,
            "ref": _TEXT,
            "uid": _TEXT,
            "name": _NAME,
            "pack": _NAME,
            "description": _TEXT,
            "enabled": _FLAG,
            "action_ref": {"type": "string", "pattern": r"^[^.]+\..+$"},
            "formats": {
                "type": "array",
                "maxItems": 200,
                "items": {
                    "anyOf": [
                        _FORMAT,
                        {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {
                                "display": {"type": ["string", "null"]},
                                "representation": {
                                    "anyOf": [_FORMAT, {"type": "array", "items": _FORMAT, "maxItems": 200}]
                                },
                                "match_multiple": _FLAG,
                            },
                        },
                    ]
                },
            },
            "ack": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"enabled": _FLAG, "format": _TEXT, "extra": _OPEN, "append_url": _FLAG},
            },
            "result": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"enabled": _FLAG, "format": _TEXT, "extra": _OPEN},
            },
            "extra": _OPEN,
            "immutable_parameters": _OPEN,
            "metadata_file": _TEXT,
        },
    }
)


def complete(metadata: Mapping[str, Any]) -> Document:
    """The metadata, found right.

    Raises:
        ContentError: what is wrong first.
    """
    error = best_match(_ALIAS.iter_errors(metadata))
    if error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise ContentError(f"{place}: {error.message}" if place else error.message)
    for form in formats_of(metadata):
        try:
            check(form.representation)
        except ValidationError as fault:
            raise ContentError(f"formats: {fault}") from fault
    return dict(metadata)
