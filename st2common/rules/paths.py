"""Where criteria look: ``trigger.body.items[0]['x-y']``, a JSONPath whose first match counts.

Names, numbers and quoted names are followed directly; everything else that JSONPath has is left to the library.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.parser import parse

from st2common.errors import ValidationError

#: Finds the value in ``{"trigger": payload, ...}``; None where there is none.
Finder = Callable[[Mapping[str, Any]], Any]

# Characters. A path is compiled.
MAX_PATH = 1000

_STEP = re.compile(
    r"""(?:^|\.)(?P<name>[^\s.\[\]'"*?@()$,:=&|~`+/<>!#]+)
      | \[(?P<index>\d{1,9})\]
      | (?:\.|^)?\[?'(?P<single>[^']*)'\]?
      | (?:\.|^)?\[?"(?P<double>[^"]*)"\]?""",
    re.VERBOSE,
)


def without_comment(path: str) -> str:
    """``trigger.x#2`` -> ``trigger.x``: what is behind the mark only makes two criteria on one field differ."""
    return path.partition("#")[0]


@functools.lru_cache(maxsize=4096)
def finder(path: str) -> Finder:
    """
    Raises:
        ValidationError: it is no JSONPath.
    """
    if len(path) > MAX_PATH:
        raise ValidationError(f"A path has at most {MAX_PATH} characters.")
    steps = _steps(path)
    return functools.partial(_follow, steps) if steps is not None else _by_library(path)


def _steps(path: str) -> tuple[str | int, ...] | None:
    """The names and numbers that the path consists of; None where there is more to it."""
    steps: list[str | int] = []
    place = 0
    while place < len(path):
        match = _STEP.match(path, place)
        if not match or match.end() == place:
            return None
        steps.append(int(match["index"]) if match["index"] else match["name"] or match["single"] or match["double"])
        place = match.end()
    return tuple(steps) if steps else None


def _follow(steps: tuple[str | int, ...], root: Mapping[str, Any]) -> Any:
    value: Any = root
    for step in steps:
        if isinstance(step, str):
            if not isinstance(value, Mapping):
                return None
            value = value.get(step)
        elif isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _by_library(path: str) -> Finder:
    try:
        expression = parse(path)
    except (JSONPathError, ValueError, RecursionError) as error:
        raise ValidationError(f'"{path}" is no path: {error}') from error

    def find(root: Mapping[str, Any]) -> Any:
        found = expression.find(root)
        return found[0].value if found else None

    return find
