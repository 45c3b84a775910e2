from __future__ import annotations

from typing import Any

import pytest

from st2common.models.secrets import MASK, masked, secrets_in

SECRET = {"type": "string", "secret": True}


@pytest.mark.parametrize(
    ("schema", "value", "shown", "secrets"),
    [
        (SECRET, "abc", MASK, ["abc"]),
        ({"type": "string"}, "abc", "abc", []),
        ({"type": "integer", "secret": True}, 4711, MASK, ["4711"]),
        ({"type": "object", "secret": True}, {"a": ["x", 1], "b": True}, MASK, ["x", "1"]),
        ({"type": "array", "secret": True}, ["x", {"y": "z"}], MASK, ["x", "z"]),
        ({"properties": {"a": SECRET}}, {"a": "x", "b": "y"}, {"a": MASK, "b": "y"}, ["x"]),
        ({"items": SECRET}, ["x", "y"], [MASK, MASK], ["x", "y"]),
        ({"items": [{}, SECRET]}, ["x", "y", "z"], ["x", MASK, "z"], ["y"]),
        ({"patternProperties": {"^p": SECRET}}, {"pw": "x", "q": "y"}, {"pw": MASK, "q": "y"}, ["x"]),
        ({"properties": {"a": {}}, "additionalProperties": SECRET}, {"a": "x", "b": "y"}, {"a": "x", "b": MASK}, ["y"]),
        ({"anyOf": [{"type": "null"}, SECRET]}, "abc", MASK, ["abc"]),
        ({"properties": {"a": {"items": {"items": SECRET}}}}, {"a": [["x"]]}, {"a": [[MASK]]}, ["x"]),
        ({"properties": {"a": SECRET}}, "not an object", "not an object", []),
    ],
)
def test_masking(schema: dict[str, Any], value: Any, shown: Any, secrets: list[str]) -> None:
    assert masked(value, schema) == shown
    assert list(secrets_in(value, schema)) == secrets
