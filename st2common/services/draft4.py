"""Parameter schemas as packs write them, turned into JSON schema draft 4.

Packs use draft 4 with the boolean ``required`` of draft 3, and the extra keywords ``position``, ``immutable`` and
``secret``, which validation ignores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError as Objection
from jsonschema.validators import extend

from st2common.expressions import regexes

_OF_SCHEMAS = ("allOf", "anyOf", "oneOf")
_NAMED_SCHEMAS = ("properties", "patternProperties")
_SCHEMA = ("items", "additionalItems", "additionalProperties", "not")


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Objection]:
    if validator.is_type(instance, "string") and not regexes.compiled(pattern).search(instance):
        yield Objection(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, schemas: Any, instance: Any, _schema: Any) -> Iterator[Objection]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, inner in schemas.items():
        for name in filter(regexes.compiled(pattern).search, instance):
            yield from validator.descend(instance[name], inner, path=name, schema_path=pattern)


def _additional_properties(validator: Any, additional: Any, instance: Any, schema: Any) -> Iterator[Objection]:
    patterns = [regexes.compiled(pattern) for pattern in schema.get("patternProperties") or ()]
    if patterns and validator.is_type(instance, "object"):
        instance = {name: each for name, each in instance.items() if not any(p.search(name) for p in patterns)}
        schema = {keyword: inner for keyword, inner in schema.items() if keyword != "patternProperties"}
    yield from Draft4Validator.VALIDATORS["additionalProperties"](validator, additional, instance, schema)


#: For values that come from outside. May raise :class:`~st2common.expressions.regexes.RegexError`.
Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft4Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)


def to_draft4(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema in draft 4. A required property with a default need not be given."""
    converted = {key: value for key, value in schema.items() if not isinstance(value, bool) or key != "required"}
    for keyword in _OF_SCHEMAS:
        if keyword in schema:
            converted[keyword] = [_converted(inner) for inner in schema[keyword]]
    for keyword in _NAMED_SCHEMAS:
        if keyword in schema:
            converted[keyword] = {name: _converted(inner) for name, inner in schema[keyword].items()}
    for keyword in _SCHEMA:
        if keyword in schema:
            inner = schema[keyword]
            converted[keyword] = [_converted(item) for item in inner] if isinstance(inner, list) else _converted(inner)
    required = _required(schema)
    if required:
        converted["required"] = required
    return _nullable(converted)


def _converted(schema: Any) -> Any:
    return to_draft4(schema) if isinstance(schema, Mapping) else schema


def _required(schema: Mapping[str, Any]) -> list[str]:
    listed = schema.get("required")
    names = list(listed) if isinstance(listed, list) else []
    for name, inner in (schema.get("properties") or {}).items():
        marked = isinstance(inner, Mapping) and inner.get("required") is True and inner.get("default") is None
        if marked and name not in names:
            names.append(name)
    return names


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """A default of null means that null is a value, whatever the type."""
    if "default" not in schema or schema["default"] is not None:
        return schema
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema
