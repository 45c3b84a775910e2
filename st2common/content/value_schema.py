"""Schemas of values in the metadata of packs: of parameters and of configuration items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from st2common.content.errors import ContentError
from st2common.expressions import regexes

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "number"}
#: Stands for :data:`SCHEMA` in a schema that has it as its definition ``schema``.
REFERENCE = {"$ref": "#/definitions/schema"}
_INNER_OR_FLAG = {"anyOf": [_FLAG, REFERENCE]}
_INNERS = {"type": "array", "minItems": 1, "items": REFERENCE}
_INNERS_BY_NAME = {"type": "object", "additionalProperties": REFERENCE}

#: Draft 4 with the boolean "required" of draft 3 and three words of our own. Nothing else, so a typing error shows.
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]},
        "title": _TEXT,
        "description": _TEXT,
        "default": {},
        "enum": {"type": "array", "minItems": 1},
        "required": {"anyOf": [_FLAG, {"type": "array", "items": _TEXT}]},
        "position": _COUNT,
        "immutable": _FLAG,
        "secret": _FLAG,
        "items": {"anyOf": [REFERENCE, _INNERS]},
        "additionalItems": _INNER_OR_FLAG,
        "properties": _INNERS_BY_NAME,
        "patternProperties": _INNERS_BY_NAME,
        "additionalProperties": _INNER_OR_FLAG,
        "dependencies": {"type": "object"},
        "minimum": _NUMBER,
        "maximum": _NUMBER,
        "exclusiveMinimum": _FLAG,
        "exclusiveMaximum": _FLAG,
        "multipleOf": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "minLength": _COUNT,
        "maxLength": _COUNT,
        "pattern": _TEXT,
        "minItems": _COUNT,
        "maxItems": _COUNT,
        "uniqueItems": _FLAG,
        "minProperties": _COUNT,
        "maxProperties": _COUNT,
        "allOf": _INNERS,
        "anyOf": _INNERS,
        "oneOf": _INNERS,
        "not": REFERENCE,
    },
}


def check_patterns(place: str, schema: Any) -> None:
    """Whether each ``pattern`` at any depth of ``schema`` is a regular expression; ``place`` names the schema.

    Raises:
        ContentError: the first that is none.
    """
    for pattern in _patterns(schema):
        try:
            regexes.compiled(pattern)
        except regexes.RegexError as error:
            raise ContentError(f'{place}: "{pattern}": {error}') from None


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for inner in schema:
            yield from _patterns(inner)
    elif isinstance(schema, Mapping):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for keyword, inner in schema.items():
            if keyword == "patternProperties":
                yield from inner
            if keyword in ("properties", "patternProperties"):
                inner = list(inner.values())
            if keyword not in ("default", "enum"):
                yield from _patterns(inner)
