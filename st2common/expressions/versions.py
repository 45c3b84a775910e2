"""Semantic versions (semver.org, 2.0.0): order and changes."""

from __future__ import annotations

import re
from collections.abc import Callable

PATTERN = re.compile(r"^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$")

_OPERATORS: dict[str, Callable[[int], bool]] = {
    ">=": lambda order: order >= 0,
    "<=": lambda order: order <= 0,
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    ">": lambda order: order > 0,
    "<": lambda order: order < 0,
}
_EXPRESSION = re.compile(r"^(>=|<=|==|!=|>|<)?(.+)$")

# A number sorts before any text (0), the end of a pre-release before more of it; no pre-release after all of them.
_Part = tuple[int, int, str]
_Key = tuple[tuple[int, int, int], bool, tuple[_Part, ...]]


def compare(version: str, other: str) -> int:
    """-1, 0 or 1."""
    mine, theirs = _key(version), _key(other)
    return (mine > theirs) - (mine < theirs)


def more_than(version: str, other: str) -> bool:
    return compare(version, other) > 0


def less_than(version: str, other: str) -> bool:
    return compare(version, other) < 0


def equal(version: str, other: str) -> bool:
    return compare(version, other) == 0


def match(version: str, expression: str) -> bool:
    """Whether ``version`` fits ``>=1.2.3``; a comma joins conditions that all must hold, ``1.2.3`` is ``==1.2.3``."""
    return all(_holds(version, condition.strip()) for condition in expression.split(","))


def bump_major(version: str) -> str:
    return f"{_numbers(version)[0] + 1}.0.0"


def bump_minor(version: str) -> str:
    major, minor, _ = _numbers(version)
    return f"{major}.{minor + 1}.0"


def bump_patch(version: str) -> str:
    major, minor, patch = _numbers(version)
    return f"{major}.{minor}.{patch + 1}"


def strip_patch(version: str) -> str:
    """``1.2.3`` -> ``1.2``."""
    major, minor, _ = _numbers(version)
    return f"{major}.{minor}"


def _holds(version: str, condition: str) -> bool:
    found = _EXPRESSION.match(condition)
    if not found:
        raise ValueError(f'"{condition}" is not a condition on versions like >=1.2.3')
    return _OPERATORS[found.group(1) or "=="](compare(version, found.group(2).strip()))


def _numbers(version: str) -> tuple[int, int, int]:
    return _key(version)[0]


def _key(version: str) -> _Key:
    found = PATTERN.match(version)
    if not found:
        raise ValueError(f"{version} is not valid SemVer string")
    major, minor, patch, before, _ = found.groups()
    parts = tuple(_part(part) for part in before.split(".")) if before else ()
    return (int(major), int(minor), int(patch)), not before, parts


def _part(part: str) -> _Part:
    return (0, int(part), "") if part.isdigit() else (1, 0, part)
