"""Expressions in values: types, languages, functions, limits."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.expressions import yaql_regexes
from st2common.models.statuses import Status
from st2common.workflows.expressions import ExpressionError, evaluate
from st2common.workflows.orquesta.functions import LANGUAGE


class Around:
    """Two variables, one task, one key."""

    def variables(self) -> dict[str, Any]:
        return {"n": 3, "hosts": ["a", "b"], "deep": {"x": {"y": [1, {"z": None}]}}, "text": "a.b/c"}

    def task(self, name: str | None) -> dict[str, Any] | None:
        return {"status": "succeeded", "task_name": name} if name in (None, "t") else None

    def status(self, name: str | None) -> Status | None:
        return Status.SUCCEEDED if name in (None, "t") else None

    def result(self, name: str | None) -> Any:
        return {"stdout": "out", "code": 0}

    def item(self) -> Any:
        return {"host": "h"}

    def key_value(self, name: str, decrypt: bool) -> str | None:
        return f"{name} {decrypt}" if name == "system.k" else None


def value(text: Any) -> Any:
    return evaluate(text, LANGUAGE, Around())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain { text", "plain { text"),
        ("<% ctx(n) %>", 3),
        (" <% ctx().n %> ", 3),
        ("<% ctx(n) %>.<% ctx(n) %>", "3.3"),
        ("<% ctx(hosts) %>!", "['a', 'b']!"),
        ("<% ctx(hosts).select($ + '!') %>", ["a!", "b!"]),
        ("<% ctx().deep.x.y[1].z %>", None),
        ("<% set(1, 1).len() %>", 1),
        ("<% dict(a => ctx(n)) %>", {"a": 3}),
        ("<% zip(ctx(hosts), list(1), pad => 0) %>", [["a", 1], ["b", 0]]),
        ("<% ctx(hosts).zip(ctx(hosts)) %>", [["a", "a"], ["b", "b"]]),
        ('<% json("[1]") %>', [1]),
        ("<% to_json_string(ctx(deep).x, indent => null) %>", '{"y": [1,{"z": null}]}'),
        ("<% regex_replace(ctx(text), '[./]', '-') %>", "a-b-c"),
        ("<% version_compare('1.2.3', '1.10.0') %>", -1),
        ("<% st2kv('system.k') %>", "system.k False"),
        ("<% st2kv('system.k', decrypt => true) %>", "system.k True"),
        ("<% st2kv(none, default => 5) %>", 5),
        ("<% task().status + task(t).task_name + task_status(u) %>", "succeededtunset"),
        ("<% [succeeded(), failed(), completed(t), succeeded(u)] %>", [True, False, True, False]),
        ("<% result().code = 0 and item(host) = h %>", True),
        ("{{ ctx('n') }}", 3),
        ("{{ ctx().hosts }}", ["a", "b"]),
        ("{{ ctx('hosts') | map('upper') }}", ["A", "B"]),
        ("{{ ctx('n') }}{{ ctx().n }}", "33"),
        ("{% for host in ctx('hosts') %}{{ host }}{{ loop.index }}{% endfor %}", "a1b2"),
        ("{{ '}}' }}", "}}"),
        ("{{ result().stdout }} {{ item('host') }} {{ st2kv('none', default='-') }}", "out h -"),
        ("{{ ctx('text') | regex_replace('b', 'x') | basename }}", "c"),
        ("{{ zip([1], [2, 3]) }}", [[1, 2], [None, 3]]),
        ({"<% ctx(text) %>": ["{{ ctx('n') }}", "<% ctx(n) %>", 1.5, None]}, {"a.b/c": [3, 3, 1.5, None]}),
    ],
)
def test_values(text: Any, expected: Any) -> None:
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<% ctx(none) %>", 'The variable "none" is undefined'),
        ("<% ctx().none %>", "none"),
        ("{{ ctx().none }}", "none"),
        ("{{ none_such }}", "none_such"),
        ("<% nothing() %>", 'Unknown function "nothing"'),
        ("<% 1 + %>", "unexpected end of statement"),
        ("{{ 1 + }}", "unexpected"),
        ("<% 1 %>{{ 1 }}", "cannot be mixed"),
        ("<% task(u).status %>", 'The task "u" has not run'),
        ("<% item(port) %>", 'no part "port"'),
        ("<% st2kv(none) %>", 'The key "none" does not exist'),
        ("<% 1 / 0 %>", "division"),
        ("<% float('nan') %>", "no JSON"),
        ("<% now() %>", "no JSON"),
        ("<% range(99999).select($ + 1).len() %>", "more than 20000 steps"),
        ("<% 'x' * 100000000 %>", "memory"),
        ("<% range(0, 1000000000).len() %>", "more than 100000 items"),
        ("<% sequence(0).len() %>", "more than 100000 items"),
        ("<% ('a' * 40 + 'b').matches('^(a|aa)+$') %>", "timed out"),
        ("<% ('a' * 40 + 'b') =~ '^(a|aa)+$' %>", "timed out"),
        ("<% regex('^(a|aa)+$').searchAll('a' * 40 + 'b') %>", "timed out"),
        ("<% pow(10, 100000000) %>", "too large"),
        ("<% shiftBitsLeft(1, 100000000) %>", "too large"),
        ("<% " + "(" * 3000 + "1" + ")" * 3000 + " %>", ""),
        ("{{ ().__class__.__bases__ }}", "unsafe"),
        ("{{ ctx.__globals__ }}", "unsafe"),
        ("<% ctx().__class__ %>", ""),
    ],
    ids=lambda text: str(text)[:40],
)
def test_what_fails_says_why_and_quotes_the_expression(
    text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaql_regexes, "SECONDS", 0.1)
    with pytest.raises(ExpressionError) as caught:
        value(text)
    assert message in str(caught.value)
    assert "mixed" in str(caught.value) or "no JSON" in str(caught.value) or text[:40] in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<% 'abc'.matches('b') %>", True),
        ("<% regex('B', ignoreCase => true).matches('abc') %>", True),
        ("<% 'abc' =~ 'B' or 'abc' !~ 'b' %>", False),
        ("<% 'abc' =~ regex('a.c') and 'abc' !~ regex('x') %>", True),
        ("<% regex('a(.)c').search('xabcx', $2.value) %>", "b"),
        ("<% regex('[0-9]+').searchAll('a1b22') %>", ["1", "22"]),
        ("<% regex(',').split('a,b') + 'a;b'.split(regex(';')) %>", ["a", "b", "a", "b"]),
        ("<% regex('b').replace('abc', 'x') + 'abc'.replace(regex('(b)'), '<\\\\1>') %>", "axca<b>c"),
        ("<% 'a1'.replaceBy(regex('[0-9]'), '[' + $.value + ']') %>", "a[1]"),
        ("<% isRegex(regex('.')) and not isRegex('.') and escapeRegex('.') = '\\\\.' %>", True),
    ],
)
def test_regular_expressions_are_those_of_yaql(text: str, expected: Any) -> None:
    assert value(text) == expected
