"""The configuration of a pack as its actions get it: defaults of the schema filled in, templates rendered, secrets
decrypted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Protocol

from st2common.errors import ValidationError
from st2common.expressions import regexes, templates
from st2common.models import config_schemas, configs
from st2common.models.connection import Document
from st2common.models.secrets import object_schema, secrets_in
from st2common.services.casts import cast


class Lookup(Protocol):
    """The datastore as templates see it."""

    #: The texts that were decrypted so far.
    decrypted: list[str]

    def decrypt(self, ciphertext: str) -> str: ...


class PackConfig(Mapping[str, Any]):
    """Read and rendered when somebody looks at it: most actions never do. Templates see it as ``config_context``, so it
    has no names of its own.

    Looking raises ValidationError where an item cannot be rendered or decrypted.
    """

    def __init__(self, pack: str, st2kv: Lookup) -> None:
        self._pack = pack
        self._st2kv = st2kv

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @cached_property
    def _attributes(self) -> Document:
        return config_schemas.attributes_of(self._pack)

    @cached_property
    def _values(self) -> Document:
        stored = configs.get(self._pack)
        try:
            return resolve(stored["values"] if stored else {}, self._attributes, self._st2kv)
        except ValidationError as error:
            raise ValidationError(f'The configuration of pack "{self._pack}" cannot be used: {error}') from error


def secrets_of(config: PackConfig) -> list[str]:
    """The texts of the secret items, and what was decrypted for others; none as long as nobody has looked at it."""
    if "_values" not in config.__dict__:
        return []
    marked = secrets_in(config._values, object_schema(config._attributes))
    return [text for text in dict.fromkeys([*marked, *config._st2kv.decrypted]) if text]


def secrets_used(config: PackConfig, parameters: Mapping[str, Any]) -> list[str]:
    """Those of the secrets that templates have put into the parameters."""
    secrets = secrets_of(config)
    texts = list(_texts(parameters)) if secrets else []
    return [secret for secret in secrets if any(secret in text for text in texts)]


def resolve(values: Mapping[str, Any], attributes: Mapping[str, Document], st2kv: Lookup) -> Document:
    """``values`` completed with the defaults of ``attributes``, and rendered.

    Raises:
        ValidationError: an item cannot be rendered or decrypted, or its text is not of its type.
    """
    filled = _with_defaults(values, object_schema(attributes))
    return {name: _resolved(name, value, attributes.get(name) or {}, st2kv) for name, value in filled.items()}


def _with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        filled = {name: _with_defaults(item, _property_schema(schema, name)) for name, item in value.items()}
        for name, inner in (schema.get("properties") or {}).items():
            if name not in filled:
                default = _default(inner)
                if default is not None:
                    filled[name] = default
        return filled
    if isinstance(value, list):
        return [_with_defaults(item, _item_schema(schema, index)) for index, item in enumerate(value)]
    return value


def _default(schema: Mapping[str, Any]) -> Any:
    if schema.get("default") is not None:
        return _with_defaults(schema["default"], schema)
    # An object that is not there may have parts with defaults.
    return (_with_defaults({}, schema) or None) if schema.get("properties") else None


def _resolved(place: str, value: Any, schema: Mapping[str, Any], st2kv: Lookup) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _resolved(f"{place}.{name}", item, _inherited(schema, _property_schema(schema, name)), st2kv)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [
            _resolved(f"{place}.{index}", item, _inherited(schema, _item_schema(schema, index)), st2kv)
            for index, item in enumerate(value)
        ]
    if not (isinstance(value, str) and templates.is_template(value)):
        return value
    try:
        return _rendered(value, schema, st2kv)
    except (ValueError, TypeError, OverflowError, ValidationError) as error:
        # What a cast objects to is the value itself.
        reason = str(error) if isinstance(error, ValidationError) else f"the value is no {schema['type']}"
        raise ValidationError(f"{place}: {reason}") from None


def _rendered(text: str, schema: Mapping[str, Any], st2kv: Lookup) -> Any:
    secret = bool(schema.get("secret"))
    if secret and "decrypt_kv" in text:
        raise ValidationError("an item that is secret is decrypted already: leave out decrypt_kv")
    rendered = templates.render(text, {"st2kv": st2kv})
    if not rendered:
        return None
    if secret:
        rendered = st2kv.decrypt(rendered)
    kind = schema.get("type")
    return cast(rendered, kind) if isinstance(kind, str) and kind != "string" else rendered


def _inherited(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parts of what is secret as a whole are secret."""
    return {**inner, "secret": True} if outer.get("secret") else inner


def _property_schema(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if name in (schema.get("properties") or {}):
        named: Mapping[str, Any] = schema["properties"][name]
        return named
    for pattern, inner in (schema.get("patternProperties") or {}).items():
        if regexes.compiled(pattern).search(name):
            return inner  # type: ignore[no-any-return]
    others = schema.get("additionalProperties")
    return others if isinstance(others, Mapping) else {}


def _item_schema(schema: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    items = schema.get("items")
    if isinstance(items, list):
        return items[index] if index < len(items) else {}
    return items if isinstance(items, Mapping) else {}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
