"""Secrets in parameters and results: which values a schema marks with ``secret: true``, and hiding them.

A secret object or array is hidden whole; marks inside objects and arrays hide the parts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from st2common.expressions import regexes

MASK = "********"

Schema = Mapping[str, Any]


def masked(value: Any, schema: Schema) -> Any:
    """A copy of ``value`` with what is secret in it replaced by :data:`MASK`."""
    if schema.get("secret"):
        return MASK
    for alternative in _alternatives(schema):
        value = masked(value, alternative)
    if isinstance(value, Mapping):
        return {key: _masked_by_all(item, _property_schemas(schema, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked_by_all(item, _item_schemas(schema, index)) for index, item in enumerate(value)]
    return value


def secrets_in(value: Any, schema: Schema) -> Iterator[str]:
    """The texts in ``value`` that the schema marks as secret; numbers as they would be printed."""
    if schema.get("secret"):
        yield from _texts(value)
        return
    for alternative in _alternatives(schema):
        yield from secrets_in(value, alternative)
    if isinstance(value, Mapping):
        for key, item in value.items():
            for inner in _property_schemas(schema, key):
                yield from secrets_in(item, inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for inner in _item_schemas(schema, index):
                yield from secrets_in(item, inner)


def without_texts(value: Any, texts: Collection[str]) -> Any:
    """A copy of ``value`` without these texts, at any depth: secrets that a template has put into other values."""
    if not texts:
        return value
    if isinstance(value, str):
        for text in texts:
            value = value.replace(text, MASK)
        return value
    if isinstance(value, Mapping):
        return {key: without_texts(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [without_texts(item, texts) for item in value]
    return value


def object_schema(properties: Mapping[str, Schema]) -> Schema:
    """The schema of an object with these properties: what parameters are."""
    return {"type": "object", "properties": properties}


def _masked_by_all(value: Any, schemas: list[Schema]) -> Any:
    for schema in schemas:
        value = masked(value, schema)
    return value


def _alternatives(schema: Schema) -> Iterator[Schema]:
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(keyword) or ()


def _property_schemas(schema: Schema, key: str) -> list[Schema]:
    found = []
    if key in (schema.get("properties") or {}):
        found.append(schema["properties"][key])
    by_pattern = schema.get("patternProperties") or {}
    found += [inner for pattern, inner in by_pattern.items() if regexes.compiled(pattern).search(key)]
    if not found and isinstance(schema.get("additionalProperties"), Mapping):
        found.append(schema["additionalProperties"])
    return found


def _item_schemas(schema: Schema, index: int) -> list[Schema]:
    items = schema.get("items")
    if isinstance(items, Mapping):
        return [items]
    if isinstance(items, list) and index < len(items):
        return [items[index]]
    return [schema["additionalItems"]] if isinstance(schema.get("additionalItems"), Mapping) else []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif value is not None and not isinstance(value, bool):
        yield str(value)
