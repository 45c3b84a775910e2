"""Every row of the rules by which parameters become arguments of a script."""

from __future__ import annotations

import json
from typing import Any

import pytest

from st2actionrunner.runners.arguments import script_arguments


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", ["--name=text"]),
        ("two words; 'quoted'", ["--name=two words; 'quoted'"]),
        ("", []),
        (None, []),
        (True, ["--name"]),
        (False, []),
        (0, ["--name=0"]),
        (0.0, ["--name=0.0"]),
        (5, ["--name=5"]),
        ([], ["--name=[]"]),
        (["a", "b"], ["--name=['a', 'b']"]),
        ({"k": [1, True]}, ["--name={'k': [1, True]}"]),
        ({}, ["--name={}"]),
    ],
)
def test_named(value: Any, expected: list[str]) -> None:
    assert script_arguments({"name": {}}, {"name": value}) == expected


@pytest.mark.parametrize(
    ("schema_type", "value", "expected"),
    [
        ("string", "a b", "a b"),
        ("string", None, ""),
        ("string", "", ""),
        ("number", 0, "0"),
        ("number", 0.0, "0.0"),
        ("number", 1.5, "1.5"),
        ("number", None, ""),
        ("boolean", True, "1"),
        ("boolean", False, "0"),
        ("boolean", None, ""),
        ("array", ["a", "b", "c"], "a,b,c"),
        ("array", [1, None, ["x"], True], "1,None,['x'],True"),
        ("array", [], ""),
        ("array", None, ""),
        ("object", {"a": 1, "b": [True, None]}, '{"a":1,"b":[true,null]}'),
        ("object", {}, ""),
        ("object", None, ""),
        ("null", None, ""),
        ("null", "ignored", ""),
        ("integer", 7, "7"),
        ("integer", 0, ""),
        ("integer", None, ""),
        (None, "any", "any"),
        (None, 0, ""),
        (None, False, ""),
        (None, ["a"], "['a']"),
    ],
)
def test_positional(schema_type: str | None, value: Any, expected: str) -> None:
    schema = {"position": 0} | ({"type": schema_type} if schema_type else {})
    assert script_arguments({"name": schema}, {"name": value}) == [expected]


def test_named_come_first_and_positions_are_kept() -> None:
    schemas = {
        "third": {"type": "string", "position": 2},
        "named": {"type": "string"},
        "first": {"type": "string", "position": 0},
        "second": {"type": "string", "position": 1},
    }
    values = {"third": "3", "first": "1", "named": "n"}
    assert script_arguments(schemas, values) == ["--named=n", "1", "", "3"]


@pytest.mark.parametrize("first", [0, 1, 5])
def test_positions_may_begin_anywhere(first: int) -> None:
    schemas = {name: {"type": "string", "position": first + i} for i, name in enumerate("ab")}
    assert script_arguments(schemas, {"b": "2", "a": "1"}) == ["1", "2"]


def test_order_of_named_ones_is_that_of_the_values() -> None:
    values = json.loads('{"z": 1, "a": 2, "m": true}')
    assert script_arguments({}, values, prefix="-") == ["-z=1", "-a=2", "-m"]
