"""Expressions in the values of a workflow: YAQL in ``<% %>``, Jinja in ``{{ }}`` and with ``{% %}``.

A text that is one expression and nothing else keeps the type of its value; in longer texts values become text. One
text has expressions of one language, a workflow may have both.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from yaql.language import contexts

from st2common.errors import ValidationError
from st2common.expressions import yaql_language
from st2common.expressions.templates import evaluate_strictly

_YAQL = re.compile(r"<%(.*?)%>", re.DOTALL)
_JINJA_MARKS = ("{{", "{%")

#: Characters of a value that is part of an error.
_SHOWN = 200


class ExpressionError(ValidationError):
    """An expression could not be evaluated."""


@dataclass(frozen=True)
class Language:
    """The functions that expressions of one language of workflows have, in both forms."""

    yaql: contexts.Context
    #: From what an expression is about to the names that Jinja knows.
    jinja: Callable[[Any], Mapping[str, Any]]
    #: Those names.
    names: frozenset[str]


def language_of(text: str) -> Literal["yaql", "jinja"] | None:
    """The language of the expressions in ``text``; None when there are none.

    Raises:
        ExpressionError: there are both.
    """
    yaql = _YAQL.search(text) is not None
    jinja = any(mark in (_YAQL.sub("", text) if yaql else text) for mark in _JINJA_MARKS)
    if yaql and jinja:
        raise ExpressionError("YAQL and Jinja expressions cannot be mixed in one text")
    return "yaql" if yaql else "jinja" if jinja else None


def yaql_parts(text: str) -> list[str]:
    """The YAQL expressions in a text, without their marks."""
    return [part.strip() for part in _YAQL.findall(text)]


def evaluate(value: Any, language: Language, scope: Any) -> Any:
    """``value`` with every expression in it, at any depth, replaced by its value.

    Raises:
        ExpressionError: one fails; the message quotes it.
    """
    if isinstance(value, str):
        return _evaluate_text(value, language, scope)
    if isinstance(value, Mapping):
        return {
            _as_text(evaluate(key, language, scope)): evaluate(item, language, scope) for key, item in value.items()
        }
    if isinstance(value, list):
        return [evaluate(item, language, scope) for item in value]
    return value


def _evaluate_text(text: str, language: Language, scope: Any) -> Any:
    if "<%" not in text and "{" not in text:
        return text
    try:
        kind = language_of(text)
        if kind == "yaql":
            return _evaluate_yaql(text, language.yaql, scope)
        if kind == "jinja":
            return _as_json(evaluate_strictly(text, language.jinja(scope)))
    except ExpressionError:
        raise
    except ValidationError as error:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
        raise ExpressionError(f"{error} (in the expression '{shown}')") from error
    return text


def _evaluate_yaql(text: str, functions: contexts.Context, scope: Any) -> Any:
    parts = _YAQL.split(text)
    if len(parts) == 3 and not parts[0].strip() and not parts[2].strip():
        return _as_json(yaql_language.evaluate(parts[1].strip(), functions, scope))
    # Texts and expressions take turns.
    for number in range(1, len(parts), 2):
        parts[number] = _as_text(yaql_language.evaluate(parts[number].strip(), functions, scope))
    return "".join(parts)


def _as_json(value: Any) -> Any:
    """``value`` if JSON can hold it. What Jinja's filters produce one by one becomes a list, a time (YAQL's ``now()``)
    its text."""
    if isinstance(value, Iterator):
        value = list(value)
    times: list[datetime] = []
    try:
        json.dumps(value, allow_nan=False, default=functools.partial(_text_of_time, times))
        return _with_times_as_text(value) if times else value
    except (TypeError, ValueError, RecursionError) as error:
        raise ExpressionError(f"The value is no JSON: {error}") from error


def _text_of_time(times: list[datetime], value: Any) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    times.append(value)
    return value.isoformat()


def _with_times_as_text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _with_times_as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_times_as_text(item) for item in value]
    return value


def _as_text(value: Any) -> str:
    """Lists and objects in their Python form, as Jinja writes them."""
    return value if isinstance(value, str) else str(_with_times_as_text(value))
