from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from st2common.errors import ValidationError
from st2common.services.alias_matching import (
    MAX_COMMAND,
    MAX_MATCHES,
    Format,
    check,
    displays_of,
    every_parameters_in,
    formats_of,
    matches,
    parameters_in,
)


@pytest.mark.parametrize(
    ("representation", "command", "parameters"),
    [
        ("run {{cmd}} on {{hosts}}", "run date on localhost", {"cmd": "date", "hosts": "localhost"}),
        ("run {{cmd}} on {{hosts}}", "  run date -u on a,b  ", {"cmd": "date -u", "hosts": "a,b"}),
        ("run {{cmd}} on {{hosts}}", 'run "echo on x" on h', {"cmd": "echo on x", "hosts": "h"}),
        ("run {{cmd}} on {{hosts}}", "run 'a' 'b' on h", {"cmd": "'a' 'b'", "hosts": "h"}),
        ("run {{cmd}} on {{hosts}}", "run date", None),
        ("run {{cmd}} on {{hosts}}", "please run date on h", None),
        ("run {{cmd}}", "run date timeout=5", {"cmd": "date", "timeout": "5"}),
        ("run {{cmd}}", "run x=1 now", {"cmd": "x=1 now"}),
        ("run {{cmd}}", "run date cmd=whoami", {"cmd": "whoami"}),
        ("run {{cmd}}", "run date env='a b' more=\"c d\"", {"cmd": "date", "env": "a b", "more": "c d"}),
        ("run {{cmd}}", 'run date env={"a": "b c"} x=1', {"cmd": "date", "env": '{"a": "b c"}', "x": "1"}),
        ("run {{ cmd }}", "run a\nb", {"cmd": "a\nb"}),
        ("ping {{host=localhost}}", "ping", {"host": "localhost"}),
        ("ping {{host=localhost}}", "ping example.com", {"host": "example.com"}),
        ("ping {{host=localhost}}", "pingexample.com", None),
        ("ping {{ host = 'a b' }} now", "ping now", {"host": "a b"}),
        ("say {{what}} to {{who=all of you}}", "say hi to", {"what": "hi", "who": "all of you"}),
        ("set {{data={}}}", "set", {"data": "{}"}),
        ("set {{data}}", 'set {"a": {"b": 1}}', {"data": '{"a": {"b": 1}}'}),
        ("(list|show) hosts?", "show host", {}),
        ("(list|show) hosts?", "list hosts pack=core", {"pack": "core"}),
        (r"^\s*deploy {{app}}\s*$", "deploy web", {"app": "web"}),
        ("^deploy {{app}}$", " deploy web tag=1", {"app": "web", "tag": "1"}),
        (r"costs {{n}}\$", "costs 5$", {"n": "5"}),
        (r"say\s+{{x=1}}", "say", {"x": "1"}),
        ("a|b", "xb", None),
        ("copy {{x}} and {{x}}", "copy 1 and 2", {"x": "2"}),
        ("", "", {}),
        ("", "anything", None),
    ],
)
def test_formats_and_commands(representation: str, command: str, parameters: dict[str, str] | None) -> None:
    assert parameters_in(command, representation) == parameters


_WORD = st.from_regex(r"[A-Za-z0-9_./:-]{1,12}", fullmatch=True)
_NAME = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)


@settings(max_examples=150)
@given(_WORD, st.dictionaries(_NAME, _WORD, min_size=1, max_size=4), st.dictionaries(_NAME, _WORD, max_size=3))
def test_what_is_put_into_a_format_comes_out_again(verb: str, values: dict[str, str], pairs: dict[str, str]) -> None:
    """The words between the places are unlike any value, so there is one way to read the command."""
    literal = re.escape(verb)
    representation = literal + "".join(f" %{n}% {{{{{name}}}}}" for n, name in enumerate(values))
    command = verb + "".join(f" %{n}% {value}" for n, value in enumerate(values.values()))
    command += "".join(f" {name}={value}" for name, value in pairs.items())
    assert parameters_in(command, representation) == {**values, **pairs}


@settings(max_examples=150)
@given(_NAME, st.text(alphabet=st.characters(exclude_characters="\"'"), max_size=30))
def test_any_text_in_quotes_is_one_value(name: str, text: str) -> None:
    assert parameters_in(f'say "{text}"', f"say {{{{{name}}}}}") == {name: text}
    assert parameters_in(f'say x {name}="{text}"', "say x") == {name: text}


@settings(max_examples=150)
@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_written_either_matches_or_not_or_is_told(representation: str, command: str) -> None:
    try:
        found = parameters_in(command, representation)
    except ValidationError:
        return
    assert found is None or all(isinstance(value, str) for value in found.values())


def test_every_match_of_a_command() -> None:
    ticket = r"(?:ticket|#){{number}}"
    assert every_parameters_in("see #12 and #7", ticket) == [{"number": "12"}, {"number": "7"}]
    assert every_parameters_in("nothing", ticket) == []
    with pytest.raises(ValidationError, match="more than"):
        every_parameters_in("#1 " * (MAX_MATCHES + 1), ticket)


def test_a_format_that_is_no_regular_expression() -> None:
    with pytest.raises(ValidationError, match=r"no regular expression"):
        check("run ({{cmd}}")


def test_a_command_that_is_too_long() -> None:
    with pytest.raises(ValidationError, match="longer than"):
        parameters_in("x" * (MAX_COMMAND + 1), "{{x}}")


def test_a_hostile_command_takes_no_time() -> None:
    assert parameters_in("run " + "on " * 1300, "run {{cmd}} on {{hosts}} now") is None


def alias(name: str, *formats: Any, enabled: bool = True) -> dict[str, Any]:
    return {"name": name, "enabled": enabled, "formats": list(formats)}


def test_the_aliases_that_a_command_has() -> None:
    shown = {"display": "run <cmd>", "representation": ["run {{cmd}}", "execute {{cmd}}"]}
    every = {"display": "tickets", "representation": ["#{{n}}"], "match_multiple": True}
    first, second = alias("a", shown, every), alias("b", "run {{x}} twice")
    off = alias("c", "run {{x}}", enabled=False)
    found = matches("execute date", [first, second, off])
    assert found == [(first, Format("run <cmd>", "execute {{cmd}}"))]
    assert [each["name"] for each, _ in matches("run it twice", [first, second, off])] == ["a", "b"]
    assert [form.display for _, form in matches("see #1", [first, second])] == ["tickets"]
    assert displays_of(first) == ["run <cmd>", "tickets"]
    assert list(formats_of(alias("d", {"display": "only shown"}))) == []


def test_a_hostile_format_takes_no_time() -> None:
    with pytest.raises(ValidationError, match="takes longer than 1 s"):
        parameters_in("a" * 40 + "!", "(a|aa)+b {{x}}")
