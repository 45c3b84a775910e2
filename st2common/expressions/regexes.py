"""Regular expressions that people write: in rules, templates, workflows, schemas and aliases.

The standard library's can take centuries for a text of thirty characters, and all of the process with it. These have a
time limit. The syntax is the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import regex

from st2common.errors import ValidationError

IGNORE_CASE, DOT_ALL, MULTI_LINE = regex.IGNORECASE, regex.DOTALL, regex.MULTILINE

#: Seconds that one use of an expression may take, on one text.
SECONDS = 1.0


class RegexError(ValidationError):
    """It is no regular expression, or it takes too long. Quotes neither the expression nor the text."""


class Regex:
    """A compiled expression, with the methods of those of :mod:`re`. Each may raise :class:`RegexError`."""

    def __init__(self, pattern: str, flags: int = 0, *, seconds: float | None = None) -> None:
        """``seconds`` in the place of :data:`SECONDS`.

        Raises:
            RegexError: it is no regular expression.
        """
        self._seconds = seconds
        try:
            self._compiled: Any = regex.compile(pattern, flags | regex.VERSION0)
        except (regex.error, OverflowError, RecursionError) as error:
            raise RegexError(f"it is no regular expression: {error}") from None

    def match(self, text: str) -> Any:
        return self._limited(self._compiled.match, text)

    def search(self, text: str) -> Any:
        return self._limited(self._compiled.search, text)

    def findall(self, text: str) -> list[Any]:
        found: list[Any] = self._limited(self._compiled.findall, text)
        return found

    def finditer(self, text: str) -> Iterator[Any]:
        """All matches are found before the first is given: the limit is theirs together."""
        return iter(self._limited(lambda *args, **limit: list(self._compiled.finditer(*args, **limit)), text))

    def split(self, text: str, maxsplit: int = 0) -> list[Any]:
        parts: list[Any] = self._limited(self._compiled.split, text, maxsplit)
        return parts

    def sub(self, replacement: str | Callable[[Any], str], text: str, count: int = 0) -> str:
        changed: str = self._limited(self._compiled.sub, replacement, text, count)
        return changed

    def _limited(self, use: Callable[..., Any], *args: Any) -> Any:
        seconds = self._seconds or SECONDS
        try:
            return use(*args, timeout=seconds)
        except TimeoutError:
            raise RegexError(f"the regular expression takes longer than {seconds:g} s") from None


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str, flags: int = 0, *, seconds: float | None = None) -> Regex:
    """As :class:`Regex`, remembered."""
    return Regex(pattern, flags, seconds=seconds)
