"""Casting of parameter values to the type that their schema names."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

from st2common.expressions.filters import NONE_MARK

# Python literals are parsed with a recursive parser: longer texts must be JSON.
_MAX_LITERAL = 64 * 1024


def cast(value: Any, type_name: str) -> Any:
    """``value`` as the JSON type ``type_name``; what has another type and no cast is left for the schema to refuse.

    Raises:
        ValueError, TypeError, OverflowError: the text cannot be read as that type.
    """
    if value == NONE_MARK:
        return None
    caster = _CASTS.get(type_name)
    return caster(value) if caster else value


def _structure(value: Any) -> Any:
    """JSON, or else a Python literal: what a list or an object looks like after a template made text of it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    return _literal(value)


def _literal(text: str) -> Any:
    if len(text) <= _MAX_LITERAL:
        try:
            return ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            pass
    raise ValueError(f'Value "{text[:200]}" is neither JSON nor a Python literal.')


def _boolean(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    words = {"true": True, "false": False}
    if value.lower() not in words:
        raise ValueError(f'Value "{value[:200]}" is not a boolean: it must be true or false.')
    return words[value.lower()]


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'Value "{value}" must either be a string or None. Got "{type(value).__name__}".')
    return value


_CASTS: dict[str, Callable[[Any], Any]] = {
    "array": _structure,
    "boolean": _boolean,
    "integer": int,
    "number": float,
    "object": _structure,
    "string": _string,
}
