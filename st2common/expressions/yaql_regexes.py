"""YAQL's functions for regular expressions, with a limit on the time that a pattern takes.

The library's own use :mod:`re`, which a text of some thirty characters can keep busy for ever, and all of the process
with it. They are the same functions here, with other patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import regex
from yaql.language import yaqltypes
from yaql.standard_library import regex as functions

#: Seconds that one search may take.
SECONDS = 1.0


class Pattern:
    """What the library uses of a compiled pattern. Each method raises TimeoutError."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._compiled: Any = regex.compile(pattern, flags | regex.VERSION0)

    def search(self, text: str) -> Any:
        return self._compiled.search(text, timeout=SECONDS)

    def finditer(self, text: str) -> Iterator[Any]:
        found: Iterator[Any] = self._compiled.finditer(text, timeout=SECONDS)
        return found

    def split(self, text: str, max_split: int = 0) -> list[str | None]:
        parts: list[str | None] = self._compiled.split(text, max_split, timeout=SECONDS)
        return parts

    def sub(self, replacement: str | Callable[[Any], str], text: str, count: int = 0) -> str:
        changed: str = self._compiled.sub(replacement, text, count, timeout=SECONDS)
        return changed


def install() -> None:
    """Before a context is made of the library."""
    functions.re = SimpleNamespace(
        compile=Pattern,
        search=lambda pattern, text: Pattern(pattern).search(text),
        escape=regex.escape,
        UNICODE=regex.UNICODE,
        IGNORECASE=regex.IGNORECASE,
        MULTILINE=regex.MULTILINE,
        DOTALL=regex.DOTALL,
    )
    of_the_library, functions.REGEX_TYPE = functions.REGEX_TYPE, Pattern
    for function in vars(functions).values():
        definition = getattr(function, "__yaql_function__", None)
        for parameter in definition.parameters.values() if definition else ():
            kind = parameter.value_type
            if isinstance(kind, yaqltypes.PythonType) and kind.python_type is of_the_library:
                kind.python_type = Pattern
