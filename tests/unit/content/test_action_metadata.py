from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from st2common.content.action_metadata import check
from st2common.content.errors import ContentError
from tests.shell_action import RUNNER

MINIMAL = {"name": "a", "runner_type": "local-shell-cmd"}
RUNNER_PARAMETERS = {**RUNNER["runner_parameters"], "dir": {"type": "string", "default": "/tmp", "immutable": True}}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"description": "x", "enabled": False, "entry_point": "scripts/run.sh", "tags": [{"name": "a", "value": "b"}]},
        {"notify": {"on-complete": {"message": "done", "routes": ["slack"]}}},
        {"parameters": {"a": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}}},
        {"parameters": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
        {"parameters": {"a": {"position": 3}, "b": {"position": 2}, "c": {}}},
        {"parameters": {"sudo": {"immutable": True}, "timeout": {"default": 5, "type": "integer"}}},
        {"parameters": {"a": {"type": "object", "properties": {"pattern": {"type": "string"}}}}},
    ],
)
def test_what_is_valid(tmp_path: Path, more: dict[str, Any]) -> None:
    check(MINIMAL | more, RUNNER_PARAMETERS, tmp_path)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"nmae": "x"}, "Additional properties are not allowed ('nmae' was unexpected)"),
        ({"name": 5}, "name: 5 is not of type 'string'"),
        ({"enabled": "yes"}, "enabled: 'yes' is not of type 'boolean'"),
        ({"parameters": {"a-b": {}}}, "parameters: 'a-b' does not match any of the regexes"),
        ({"parameters": {"a": {"type": "text"}}}, "parameters.a.type: 'text' is not one of"),
        ({"parameters": {"a": {"type": ["string", "null"]}}}, "parameters.a.type: "),
        ({"parameters": {"a": {"format": "email"}}}, "parameters.a: Additional properties are not allowed ('format'"),
        ({"parameters": {"a": {"properties": {"b": {"x": 1}}}}}, "parameters.a.properties.b: Additional properties"),
        ({"parameters": {"a": {"position": 0}, "b": {"position": 0}}}, "parameters: the positions [0, 0] are not"),
        ({"parameters": {"a": {"position": 0}, "b": {"position": 2}}}, "parameters: the positions [0, 2] are not"),
        ({"parameters": {"a": {"immutable": True}}}, "parameters.a: an immutable parameter needs a default"),
        ({"parameters": {"timeout": {"type": "string"}}}, 'parameters.timeout: "type" of the runner\'s parameter'),
        ({"parameters": {"dir": {"default": "/"}}}, 'parameters.dir: the runner\'s parameter "dir" is immutable'),
        ({"parameters": {"a": {"items": {"pattern": "["}}}}, 'parameters.a: "[": it is no regular expression'),
        ({"parameters": {"a": {"patternProperties": {"(": {}}}}}, 'parameters.a: "(": it is no regular expression'),
        ({"entry_point": "../../../etc/passwd"}, 'entry_point: "../../../etc/passwd" is not inside the pack'),
        ({"entry_point": "/etc/passwd"}, 'entry_point: "/etc/passwd" is not inside the pack'),
    ],
)
def test_what_is_refused_and_how(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ContentError) as raised:
        check(MINIMAL | more, RUNNER_PARAMETERS, tmp_path)
    assert str(raised.value).startswith(message)


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="'runner_type' is a required property"):
        check({"name": "a"}, {}, tmp_path)
