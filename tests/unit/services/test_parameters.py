from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.errors import ValidationError
from st2common.expressions.templates import TemplateError
from st2common.services.parameters import live_parameters, merged_parameters, split_for_run, validate
from tests.shell_action import ACTION, RUNNER, action_with

CONTEXT = {"user": "alice", "pack": "core"}


def accepted(parameters: dict[str, Any], action: dict[str, Any] = ACTION, **more: Any) -> dict[str, Any]:
    live = live_parameters(action, RUNNER, parameters, CONTEXT, **more)
    validate(action, RUNNER, live, parameters)
    return live


@pytest.mark.parametrize(
    ("given_parameters", "live"),
    [
        ({"cmd": "date"}, {"cmd": "date"}),
        ({"cmd": "date", "timeout": "5"}, {"cmd": "date", "timeout": 5}),
        ({"cmd": "date", "timeout": 1.9}, {"cmd": "date", "timeout": 1}),
        ({"cmd": "date", "cwd": None}, {"cmd": "date"}),
        ({"cmd": "date", "sudo": None}, {"cmd": "date"}),
        ({"cmd": "date", "env": '{"A": "1"}'}, {"cmd": "date", "env": {"A": "1"}}),
        ({"cmd": "date", "env": "{'A': '1'}"}, {"cmd": "date", "env": {"A": "1"}}),
        ({"cmd": "sleep {{ timeout }}"}, {"cmd": "sleep 60"}),
        ({"cmd": "sleep {{ timeout + 1 }}", "timeout": "4"}, {"cmd": "sleep 5", "timeout": 4}),
        ({"cmd": "echo {{ action_context.user }}"}, {"cmd": "echo alice"}),
        ({"cmd": "echo [{{ st2kv.system.no.such }}]"}, {"cmd": "echo []"}),
        ({"cmd": "echo {{ cwd }}"}, {"cmd": "echo None"}),
        ({"cmd": "{% for i in range(3) %}{{ i }}{% endfor %}"}, {"cmd": "012"}),
        ({"cmd": "docker inspect -f '{{.State}}'"}, {"cmd": "docker inspect -f '{{.State}}'"}),
        (
            {"cmd": "x", "env": {"N": "{{ timeout }}", "T": "t{{ timeout }}"}},
            {"cmd": "x", "env": {"N": 60, "T": "t60"}},
        ),
        ({"cmd": "{{ cwd }}", "cwd": "{{ kwarg_op }}"}, {"cmd": "--", "cwd": "--"}),
    ],
)
def test_what_is_stored(given_parameters: dict[str, Any], live: dict[str, Any]) -> None:
    assert accepted(given_parameters) == live


@pytest.mark.parametrize(
    ("given_parameters", "text"),
    [
        ({}, "'cmd' is a required property"),
        ({"cmd": None}, "'cmd' is a required property"),
        ({"cmd": "true", "zzz": 1}, "Additional properties are not allowed ('zzz' was unexpected)"),
        ({"cmd": "true", "timeout": "abc"}, "invalid literal for int() with base 10: 'abc'"),
        ({"cmd": 1}, 'Value "1" must either be a string or None. Got "int".'),
        ({"cmd": "true", "env": ["a"]}, "['a'] is not of type 'object' (parameter \"env\")"),
        ({"cmd": "true", "sudo": True}, "Override of immutable parameter(s) ['sudo'] is unsupported."),
    ],
)
def test_what_is_refused_and_how(given_parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as raised:
        accepted(given_parameters)
    assert str(raised.value) == text
    assert not isinstance(raised.value, TemplateError)


@pytest.mark.parametrize("value", ["[", "maybe", float("inf"), "9" * 5000, [], {}, "(" * 10_000])
@pytest.mark.parametrize("type_name", ["array", "boolean", "integer", "object"])
def test_a_hostile_value_is_refused_or_cast(value: Any, type_name: str) -> None:
    action = action_with({"p": {"type": type_name}})
    try:
        accepted({"p": value}, action)
    except ValidationError:
        return
    assert value in ([], {}) or (type_name == "integer" and value == "9" * 5000)


@pytest.mark.parametrize(
    ("given_parameters", "text"),
    [
        ({"cmd": "{{ nope }}"}, "Failed to render parameter \"cmd\": 'nope' is undefined"),
        ({"cmd": "{{ cwd }}", "cwd": "{{ cmd }}"}, "Cyclic dependency found in the following variables: cmd, cwd"),
        ({"cmd": "{{ cmd }}"}, "Cyclic dependency found in the following variables: cmd"),
        ({"cmd": "{{ 1 | nope }}"}, "Failed to render parameter \"cmd\": No filter named 'nope'."),
        ({"cmd": "{{ 'x' | from_json_string }}"}, 'Failed to render parameter "cmd": Expecting value'),
        ({"cmd": "{{ ''.__class__ }}"}, 'Failed to render parameter "cmd": access to attribute'),
        ({"cmd": "{{ action_context.update(user='root') }}"}, 'Failed to render parameter "cmd": '),
    ],
)
def test_a_template_that_fails(given_parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(TemplateError) as raised:
        accepted(given_parameters)
    assert str(raised.value).startswith(text)


def test_a_default_that_is_a_template_is_rendered_on_request() -> None:
    action = action_with({"cmd": {"type": "string", "default": "echo {{ who }}"}, "who": {"type": "string"}})
    assert accepted({"who": "bob"}, action) == {"who": "bob", "cmd": "echo bob"}


class UntouchedConfig(Mapping[str, Any]):
    """The configuration of a pack costs queries: looking at it is a failure."""

    def __getitem__(self, name: str) -> Any:
        raise AssertionError(f"somebody looked at {name}")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("somebody looked at the names")

    def __len__(self) -> int:
        raise AssertionError("somebody looked at the size")


def test_nobody_looks_at_a_configuration_that_no_template_asks_for() -> None:
    assert accepted({"cmd": "sleep {{ timeout }}"}, config=UntouchedConfig()) == {"cmd": "sleep 60"}
    split_for_run(ACTION, RUNNER, {"cmd": "date"}, CONTEXT, config=UntouchedConfig())
    with pytest.raises(TemplateError, match="looked at greeting"):
        accepted({"cmd": "{{ config_context.greeting }}"}, config=UntouchedConfig())


def test_what_was_rendered_is_never_rendered_again() -> None:
    live = live_parameters(ACTION, RUNNER, {}, CONTEXT, kept={"cmd": "{{ nope }}", "timeout": 5})
    assert live == {"cmd": "{{ nope }}", "timeout": 5}
    runner_parameters, _ = split_for_run(ACTION, RUNNER, live, CONTEXT)
    assert runner_parameters["cmd"] == "{{ nope }}"


def test_a_given_value_wins_over_a_kept_one() -> None:
    assert accepted({"timeout": 7}, kept={"cmd": "date", "timeout": 5}) == {"cmd": "date", "timeout": 7}


def test_parameters_that_are_nested_too_deep() -> None:
    value: dict[str, Any] = {}
    for _ in range(500):
        value = {"a": value}
    with pytest.raises(ValidationError, match="nested more than"):
        accepted({"cmd": "x", "env": value})


def test_an_error_never_quotes_a_secret() -> None:
    action = action_with({"cmd": {"type": "string"}, "key": {"type": "string", "secret": True, "enum": ["a"]}})
    for wrong in ("hunter2-hunter2", 271828182845):
        with pytest.raises(ValidationError) as raised:
            accepted({"key": wrong}, action)
        assert str(wrong) not in str(raised.value)


def test_the_action_may_say_some_things_anew() -> None:
    action = action_with({"timeout": {"default": 5, "description": "Mine"}, "own": {"type": "string"}})
    merged = merged_parameters(action, RUNNER)
    assert merged["timeout"] == {"type": "integer", "default": 5, "description": "Mine"}
    assert list(merged) == [*RUNNER["runner_parameters"], "own"]


def test_the_runner_and_the_action_each_get_theirs_complete() -> None:
    action = action_with(
        {
            "timeout": {"default": 5},
            "who": {"type": "string"},
            "times": {"type": "integer", "default": "3"},
            "list": {"type": "array", "default": []},
        }
    )
    runner_parameters, own = split_for_run(action, RUNNER, {"who": "bob", "cmd": "date"}, CONTEXT)
    assert own == {"who": "bob", "times": 3, "list": []}
    assert runner_parameters == {
        "cmd": "date",
        "cwd": None,
        "env": None,
        "kwarg_op": "--",
        "sudo": False,
        "sudo_password": None,
        "timeout": 5,
    }


def test_required_inside_of_objects_and_lists() -> None:
    inner = {"type": "object", "properties": {"name": {"type": "string", "required": True}}}
    action = action_with({"one": inner, "many": {"type": "array", "items": inner}})
    assert accepted({"one": {"name": "a"}, "many": [{"name": "b"}]}, action)
    for wrong in ({"one": {}}, {"many": [{}]}):
        with pytest.raises(ValidationError, match="'name' is a required property"):
            accepted(wrong, action)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["cmd", "env", "timeout", "sudo", "cwd", "extra"]), JSON))
def test_any_json_is_accepted_or_refused(parameters: dict[str, Any]) -> None:
    try:
        live = accepted(parameters)
    except ValidationError:
        return
    assert None not in live.values()
    # Accepting what was accepted changes nothing.
    assert live_parameters(ACTION, RUNNER, {}, CONTEXT, kept=live) == live
    runner_parameters, own = split_for_run(ACTION, RUNNER, live, CONTEXT)
    assert own == {}
    assert runner_parameters | live == runner_parameters


@given(st.dictionaries(st.sampled_from(["default", "description", "enum", "immutable", "required", "type"]), JSON))
def test_merging_keeps_what_may_not_be_said_anew(schema: dict[str, Any]) -> None:
    merged = merged_parameters(action_with({"timeout": schema}), RUNNER)["timeout"]
    assert merged["type"] == "integer"
    assert {key: value for key, value in schema.items() if key != "type"}.items() <= merged.items()


def test_a_hostile_pattern_takes_no_time() -> None:
    action = action_with({"name": {"type": "string", "pattern": "^(a|aa)+$"}})
    validate(action, RUNNER, {"name": "aaa"}, {})
    with pytest.raises(ValidationError, match="does not match"):
        validate(action, RUNNER, {"name": "b"}, {})
    with pytest.raises(ValidationError, match="takes longer than 1 s"):
        validate(action, RUNNER, {"name": "a" * 40 + "b"}, {})
