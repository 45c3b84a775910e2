"""The inline forms: ``pack.action a=1 b=<% ctx(x) %>``, ``publish: a=1, b="two words"``, ``do: one, two``."""

from __future__ import annotations

import json
import re
from typing import Any

_EXPRESSION = r"<%.*?%>|\{\{.*?\}\}"
_ASSIGNMENT = re.compile(
    rf"""[\s,;]*(?P<name>[\w.-]+)\s*=\s*(?P<value>
        "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' |
        (?: {_EXPRESSION} | \[ (?:{_EXPRESSION}|[^\]])* \] | \{{ (?:{_EXPRESSION}|[^}}])* \}} | [^\s,;] )*
    )""",
    re.VERBOSE | re.DOTALL,
)


def assignments(text: str) -> tuple[tuple[str, Any], ...]:
    """``a=1, b="two words" c=<% ctx(x) %>`` -> ``(("a", 1), ("b", "two words"), ("c", "<% ctx(x) %>"))``. Between
    them are spaces, commas or semicolons.

    Raises:
        ValueError: it has another form.
    """
    found: list[tuple[str, Any]] = []
    position = 0
    while text[position:].strip(" \t\r\n,;"):
        match = _ASSIGNMENT.match(text, position)
        if match is None:
            raise ValueError(f'"{text[position:].strip()}" is not of the form name=value')
        found.append((match["name"], _value(match["value"])))
        position = match.end()
    return tuple(found)


def action_and_input(text: str) -> tuple[str, dict[str, Any]]:
    """``core.echo message=hi`` -> ``("core.echo", {"message": "hi"})``; the action may be an expression.

    Raises:
        ValueError: what follows the action is not of the form name=value.
    """
    match = re.match(rf"\s*((?:{_EXPRESSION}|\S)+)\s*", text, re.DOTALL)
    if match is None:
        raise ValueError("there is no action")
    return match[1], dict(assignments(text[match.end() :]))


def names(text: str) -> tuple[str, ...]:
    """``one, two`` -> ``("one", "two")``."""
    return tuple(name for name in re.split(r"[\s,;]+", text) if name)


def items(text: str) -> tuple[tuple[str, ...], str]:
    """``a, b in <% ctx(pairs) %>`` -> ``(("a", "b"), "<% ctx(pairs) %>")``; the names may be missing."""
    match = re.match(r"\s*(\w+(?:\s*,\s*\w+)*)\s+in\s+(.*)", text, re.DOTALL)
    return (names(match[1]), match[2].strip()) if match else ((), text.strip())


def _value(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)
