"""Parameters of an action as the arguments of its script: named ones first, then positional ones.

Pack authors rely on every oddity of these rules (an integer 0 is passed as an empty text, a named list as Python text).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

DEFAULT_PREFIX = "--"


def script_arguments(schemas: Mapping[str, Any], values: Mapping[str, Any], prefix: str = DEFAULT_PREFIX) -> list[str]:
    """The arguments for ``values``, in clear text: whoever puts them into a command line quotes them.

    ``schemas``: the action's own parameters; ``prefix``: what stands before a name (``--`` or ``-``).
    """
    positions = {name: schema["position"] for name, schema in schemas.items() if schema.get("position") is not None}
    named = [
        argument
        for name, value in values.items()
        if name not in positions and (argument := _named(prefix + name, value)) is not None
    ]
    # One that was not given is passed as an empty text, so that those behind it keep their place.
    return named + [
        _positional(schemas[name].get("type"), values.get(name))
        for name in sorted(positions, key=lambda n: positions[n])
    ]


def _named(option: str, value: Any) -> str | None:
    if value is True:
        return option
    if value is None or value is False or value == "":
        return None
    return f"{option}={value}"


def _positional(schema_type: str | None, value: Any) -> str:
    if value is None:
        return ""
    return _POSITIONAL.get(schema_type, _other)(value)


def _array(value: Any) -> str:
    return ",".join(str(item) for item in value) if isinstance(value, list | tuple) else _other(value)


def _object(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) if value else ""


def _boolean(value: Any) -> str:
    return "1" if value else "0"


def _other(value: Any) -> str:
    return str(value) if value else ""


_POSITIONAL: dict[str | None, Callable[[Any], str]] = {
    "string": str,
    "number": str,
    "boolean": _boolean,
    "array": _array,
    "object": _object,
    "null": lambda value: "",
}
