"""Commands and the formats of aliases: which format a command has, and the parameters in it. Pure.

A format is a regular expression with places for parameters: ``{{name}}`` must be there, ``{{name=default}}`` may be
missing, with the space before it. A value is one or more words, a text in quotes, or ``{...}``. Behind the last place a
command may add more parameters, or other values, as ``key=value``.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from st2common.errors import ValidationError
from st2common.expressions.regexes import DOT_ALL, Regex, RegexError

#: Characters of a command.
MAX_COMMAND = 4096
#: Parameter sets that one command may stand for, where a format matches as often as it can.
MAX_MATCHES = 50

_QUOTED = r""""[^"]*"|'[^']*'|\{.*?\}"""
_VALUE = rf"(?:{_QUOTED}|.+?)"
# One word: where the value of a pair ends must be plain.
_PAIR = rf"(\w+)=({_QUOTED}|\S+)"
_PAIR_PATTERN = re.compile(_PAIR, re.DOTALL)
_PLACE = re.compile(
    r"""(?P<space>(?:\s|\\s[*+]?)*)
        \{\{\s*(?P<name>\w+)\s*
        (?:=\s*(?P<default>"[^"]*"|'[^']*'|\{.*?\}(?=\s*\}\})|.*?)\s*)?
        \}\}""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Format:
    """One text that a command may look like, and how it is shown in help."""

    display: str
    representation: str
    #: Whether each place where it matches in a command is a match of its own.
    multiple: bool = False


@dataclass(frozen=True)
class _Compiled:
    pattern: Regex
    #: (group, parameter), in order of the places.
    places: tuple[tuple[str, str], ...]
    defaults: tuple[tuple[str, str], ...]


def formats_of(alias: Mapping[str, Any]) -> Iterator[Format]:
    """The formats of an alias; one without a representation is only shown."""
    for entry in alias["formats"]:
        if isinstance(entry, str):
            yield Format(entry, entry)
            continue
        multiple = bool(entry.get("match_multiple"))
        texts = entry.get("representation") or ()
        for representation in [texts] if isinstance(texts, str) else texts:
            yield Format(entry.get("display") or representation, representation, multiple)


def displays_of(alias: Mapping[str, Any]) -> list[str]:
    """What help shows of an alias, each once."""
    shown = [entry if isinstance(entry, str) else entry.get("display") for entry in alias["formats"]]
    return list(dict.fromkeys(text for text in shown if text))


def check(representation: str) -> None:
    """
    Raises:
        ValidationError: the format is no regular expression once its places are taken out.
    """
    _compiled(representation, False)


def parameters_in(command: str, representation: str) -> dict[str, str] | None:
    """{name: text} of a command that has this format, defaults included; None: it has another.

    Raises:
        ValidationError: the command is too long, or the format is not valid.
    """
    _check_length(command)
    compiled = _compiled(representation, False)
    with _naming(representation):
        match = compiled.pattern.match(command)
    if match is None:
        return None
    return {**_placed(compiled, match), **_pairs(match["st2_pairs"] or "")}


def every_parameters_in(command: str, representation: str) -> list[dict[str, str]]:
    """The parameters of each place where the format matches in a command. Raises as :func:`parameters_in`."""
    _check_length(command)
    compiled = _compiled(representation, True)
    with _naming(representation):
        found = [_placed(compiled, match) for match in compiled.pattern.finditer(command)]
    if len(found) > MAX_MATCHES:
        raise ValidationError(f"The command stands for more than {MAX_MATCHES} executions")
    return found


def matches(command: str, aliases: Iterable[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Format]]:
    """The formats of enabled aliases that a command has."""
    return [(alias, form) for alias in aliases if alias["enabled"] for form in formats_of(alias) if _has(command, form)]


def _has(command: str, form: Format) -> bool:
    if form.multiple:
        return bool(every_parameters_in(command, form.representation))
    return parameters_in(command, form.representation) is not None


def _check_length(command: str) -> None:
    if len(command) > MAX_COMMAND:
        raise ValidationError(f"The command is longer than {MAX_COMMAND} characters")


@contextlib.contextmanager
def _naming(representation: str) -> Iterator[None]:
    try:
        yield
    except RegexError as error:
        raise ValidationError(f'The format "{representation}": {error}') from None


@functools.lru_cache(maxsize=1024)
def _compiled(representation: str, anywhere: bool) -> _Compiled:
    places: list[tuple[str, str]] = []
    defaults: list[tuple[str, str]] = []

    def place(found: re.Match[str]) -> str:
        group, name, default, space = f"st2_{len(places)}", found["name"], found["default"], found["space"]
        places.append((group, name))
        if default is None:
            return f"{space}(?P<{group}>{_VALUE})"
        defaults.append((name, _unquoted(default)))
        return f"(?:{space}(?P<{group}>{_VALUE}))?"

    expression = _PLACE.sub(place, representation.strip())
    if anywhere:
        # A value that may be of any length ends at the first word boundary, or it would be one character.
        expression = rf"{expression}(?=\s|$)"
    else:
        expression = rf"^\s*{_without_anchors(expression)}(?P<st2_pairs>(?:\s+\w+=(?:{_QUOTED}|\S+))*)\s*$"
    with _naming(representation):
        pattern = Regex(expression, DOT_ALL)
    return _Compiled(pattern, tuple(places), tuple(defaults))


def _without_anchors(expression: str) -> str:
    """The anchors that every format has are put around it, with the pairs before the last one."""
    expression = expression.removeprefix("^").removeprefix(r"\s*")
    if expression.endswith("$") and not expression.endswith(r"\$"):
        expression = expression[:-1].removesuffix(r"\s*")
    return f"(?:{expression})"


def _placed(compiled: _Compiled, match: Any) -> dict[str, str]:
    values = dict(compiled.defaults)
    for group, name in compiled.places:
        if match[group] is not None:
            values[name] = _unquoted(match[group])
    return values


def _pairs(text: str) -> dict[str, str]:
    return {name: _unquoted(value) for name, value in _PAIR_PATTERN.findall(text)}


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" and value[0] not in value[1:-1]:
        return value[1:-1]
    return value
