"""The operators of criteria: each compares the value that an event has with the pattern that a rule has.

What cannot be compared is an error and not a "no": the rule's author has to hear of it. The texts name kinds of values
and quote none, since patterns may be decrypted secrets.
"""

from __future__ import annotations

import fnmatch
import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from st2common.errors import ValidationError
from st2common.expressions import regexes

Operator = Callable[[Any, Any], bool]

# Seconds that one regular expression may take for one event.
REGEX_TIMEOUT = 0.25


class CriterionError(ValidationError):
    """A criterion could not be checked."""


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise CriterionError(f"the {what} is {kind_of(value)}, and only texts can be compared like this")
    return value


def kind_of(value: Any) -> str:
    """What people call it."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def _texts(compare: Callable[[str, str], bool], *, ignore_case: bool = False) -> Operator:
    def compared(value: Any, pattern: Any) -> bool:
        left, right = _text(value, "value"), _text(pattern, "pattern")
        return compare(left.lower(), right.lower()) if ignore_case else compare(left, right)

    return compared


def _ordered(compare: Callable[[Any, Any], Any]) -> Operator:
    def compared(value: Any, pattern: Any) -> bool:
        try:
            return bool(compare(value, pattern))
        except TypeError:
            raise CriterionError(f"the value is {kind_of(value)} and the pattern {kind_of(pattern)}") from None

    return compared


def _contains(value: Any, pattern: Any) -> bool:
    return _is_in(pattern, "pattern", value, "value")


def _inside(value: Any, pattern: Any) -> bool:
    return _is_in(value, "value", pattern, "pattern")


def _is_in(part: Any, part_name: str, whole: Any, whole_name: str) -> bool:
    if isinstance(whole, list):
        return part in whole
    if isinstance(whole, dict):
        return isinstance(part, str) and part in whole
    return _text(part, part_name) in _text(whole, whole_name)


def _icontains(value: Any, pattern: Any) -> bool:
    wanted = _text(pattern, "pattern").lower()
    if isinstance(value, list):
        return any(isinstance(item, str) and item.lower() == wanted for item in value)
    return wanted in _text(value, "value").lower()


def _not(positive: Operator) -> Operator:
    return lambda value, pattern: not positive(value, pattern)


def _regex(method: str, flags: int) -> Operator:
    def compared(value: Any, pattern: Any) -> bool:
        expression = regexes.compiled(_text(pattern, "pattern"), flags, seconds=REGEX_TIMEOUT)
        return getattr(expression, method)(_text(value, "value")) is not None

    return compared


def _wildcard(value: Any, pattern: Any) -> bool:
    return _WILDCARD(value, fnmatch.translate(_text(pattern, "pattern")))


def _age(value: Any) -> float:
    """Seconds since the time that the value names; one without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(_text(value, "value").strip())
    except ValueError:
        raise CriterionError("the value is no time like 2017-08-31T11:51:06.961844Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (datetime.now(UTC) - moment).total_seconds()


def _seconds(pattern: Any) -> float:
    try:
        return float(pattern)
    except (TypeError, ValueError):
        raise CriterionError("the pattern is no number of seconds") from None


_WILDCARD = _regex("match", 0)


def _equals(value: Any, pattern: Any) -> bool:
    return bool(value == pattern)


def _iequals(value: Any, pattern: Any) -> bool:
    return isinstance(value, str) and isinstance(pattern, str) and value.lower() == pattern.lower()


EQUALS = ("equals", "eq")
SEARCH = "search"
#: Those for which null is a pattern like any other.
TAKE_NULL = frozenset({"exists", "nexists", "nequals", "neq"})

_NAMES: dict[tuple[str, ...], Operator] = {
    EQUALS: _equals,
    ("nequals", "neq"): _not(_equals),
    ("iequals", "ieq"): _iequals,
    ("contains",): _contains,
    ("ncontains",): _not(_contains),
    ("icontains",): _icontains,
    ("incontains",): _not(_icontains),
    ("startswith",): _texts(str.startswith),
    ("istartswith",): _texts(str.startswith, ignore_case=True),
    ("endswith",): _texts(str.endswith),
    ("iendswith",): _texts(str.endswith, ignore_case=True),
    ("lessthan", "lt"): _ordered(operator.lt),
    ("greaterthan", "gt"): _ordered(operator.gt),
    ("matchwildcard",): _wildcard,
    ("matchregex",): _regex("match", regexes.DOT_ALL),
    ("regex",): _regex("search", 0),
    ("iregex",): _regex("search", regexes.IGNORE_CASE),
    ("timediff_lt", "td_lt"): lambda value, pattern: _age(value) < _seconds(pattern),
    ("timediff_gt", "td_gt"): lambda value, pattern: _age(value) > _seconds(pattern),
    ("exists",): lambda value, _pattern: value is not None,
    ("nexists",): lambda value, _pattern: value is None,
    ("inside", "in"): _inside,
    ("ninside", "nin"): _not(_inside),
}


#: Name -> the operator. ``search`` is not among them: see :mod:`st2common.rules.criteria`. A pattern that is null is a
#: "no" for all but :data:`TAKE_NULL`; whoever calls an operator sees to that.
OPERATORS: dict[str, Operator] = {name: compare for names, compare in _NAMES.items() for name in names}
#: Those whose pattern is a regular expression.
REGEXES = frozenset({"matchregex", "regex", "iregex"})
