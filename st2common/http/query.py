"""Query parameters: of a repeated one the last counts, unknown ones are ignored, an empty value counts as absent."""

from __future__ import annotations

from flask import request

from st2common.errors import ValidationError

_TRUE = frozenset({"true", "1", "yes", "y", "on"})
_FALSE = frozenset({"false", "0", "no", "n", "off"})

# The most values that one comma list may hold: each is one more branch of a database query.
MAX_LIST_VALUES = 100


def text(name: str) -> str | None:
    values = request.args.getlist(name)
    return (values[-1] or None) if values else None


def texts() -> dict[str, str]:
    """All parameters that have a value."""
    return {name: values[-1] for name, values in request.args.lists() if values[-1]}


def integer(name: str) -> int | None:
    """The number, or None where the parameter is absent.

    Raises:
        ValidationError: it is not an integer.
    """
    value = text(name)
    if value is None:
        return None
    try:
        return int(value)
    except ValueError:
        raise ValidationError(f'Parameter "{name}" is not of type integer') from None


def boolean(name: str, default: bool = False) -> bool:
    """Clients spell booleans ``true``, ``True``, ``1``, ``yes``, ``y``, or the opposites, in any case.

    Raises:
        ValidationError: it is none of these.
    """
    value = text(name)
    if value is None:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise ValidationError(f'Parameter "{name}" is not of type boolean')


def comma_list(name: str) -> list[str]:
    """``a,b`` -> ``["a", "b"]``.

    Raises:
        ValidationError: more than :data:`MAX_LIST_VALUES` values.
    """
    values = [item.strip() for item in (text(name) or "").split(",") if item.strip()]
    if len(values) > MAX_LIST_VALUES:
        raise ValidationError(f'Parameter "{name}" has more than {MAX_LIST_VALUES} values')
    return values
