"""Expressions in values: types, languages, functions, limits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from st2common.expressions import regexes, yaql_language
from st2common.expressions.filters import NONE_MARK
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


ABOUT_TASK = {"status": "succeeded", "task_name": "t", "result": {"stdout": "out", "code": 0}}

#: Each function of the language once in YAQL and once in Jinja, and the value of both.
FUNCTIONS: dict[str, tuple[str, str, Any]] = {
    "ctx": ("ctx(n) + ctx().n", "ctx('n') + ctx().n", 6),
    "result": ("result().code", "result().code", 0),
    "succeeded": ("succeeded()", "succeeded()", True),
    "failed": ("failed(t)", "failed('t')", False),
    "completed": ("completed()", "completed()", True),
    "task_status": ("task_status(t)", "task_status('t')", "succeeded"),
    "task": ("task(t)", "task('t')", ABOUT_TASK),
    "item": ("item(host) + item().host", "item('host') + item().host", "hh"),
    "zip": ("zip([1], [2, 3], pad => 0)", "zip([1], [2, 3], pad=0)", [[1, 2], [0, 3]]),
    "json": ("json('[1]')", "json('[1]')", [1]),
    "st2kv": ("st2kv(none, decrypt => true, default => 1)", "st2kv('none', decrypt=true, default=1)", 1),
    "basename": ("basename('/a/b')", "'/a/b' | basename", "b"),
    "dirname": ("dirname('/a/b')", "'/a/b' | dirname", "/a"),
    "from_json_string": ("from_json_string('[1]')", "'[1]' | from_json_string", [1]),
    "from_yaml_string": ("from_yaml_string('a: 1')", "'a: 1' | from_yaml_string", {"a": 1}),
    "json_dump": ("json_dump([1])", "json_dump([1])", "[1]"),
    "json_parse": ("json_parse('[1]')", "json_parse('[1]')", [1]),
    "json_escape": ("""json_escape('"')""", """'"' | json_escape""", '\\"'),
    "jsonpath_query": (
        "jsonpath_query(ctx(deep), 'x.y[*]')",
        "ctx('deep') | jsonpath_query('x.y[*]')",
        [1, {"z": None}],
    ),
    "regex_match": ("regex_match(abc, 'A', true)", "'abc' | regex_match('A', true)", True),
    "regex_replace": ("regex_replace(abc, 'b', x)", "'abc' | regex_replace('b', 'x')", "axc"),
    "regex_search": ("regex_search(abc, 'c')", "'abc' | regex_search('c')", True),
    "regex_substring": ("regex_substring(a1b2, '[0-9]', 1)", "'a1b2' | regex_substring('[0-9]', 1)", "2"),
    "to_complex": ("to_complex([1])", "[1] | to_complex", "[1]"),
    "to_human_time_from_seconds": ("to_human_time_from_seconds(61)", "61 | to_human_time_from_seconds", "1m1s"),
    "to_json_string": ("to_json_string({a => 1})", "{'a': 1} | to_json_string", '{"a": 1}'),
    "to_yaml_string": ("to_yaml_string({a => 1})", "{'a': 1} | to_yaml_string", "a: 1\n"),
    "use_none": ("use_none(null)", "none | use_none", NONE_MARK),
    "version_bump_major": ("version_bump_major('1.2.3')", "'1.2.3' | version_bump_major", "2.0.0"),
    "version_bump_minor": ("version_bump_minor('1.2.3')", "'1.2.3' | version_bump_minor", "1.3.0"),
    "version_bump_patch": ("version_bump_patch('1.2.3')", "'1.2.3' | version_bump_patch", "1.2.4"),
    "version_compare": ("version_compare('1.2.3', '1.2.4')", "'1.2.3' | version_compare('1.2.4')", -1),
    "version_equal": ("version_equal('1.2.3', '1.2.3')", "'1.2.3' | version_equal('1.2.3')", True),
    "version_less_than": ("version_less_than('1.2.3', '1.2.4')", "'1.2.3' | version_less_than('1.2.4')", True),
    "version_match": ("version_match('1.2.3', '>1.0.0')", "'1.2.3' | version_match('>1.0.0')", True),
    "version_more_than": ("version_more_than('1.2.3', '1.2.4')", "'1.2.3' | version_more_than('1.2.4')", False),
    "version_strip_patch": ("version_strip_patch('1.2.3')", "'1.2.3' | version_strip_patch", "1.2"),
    "yaml_dump": ("yaml_dump({a => 1})", "yaml_dump({'a': 1})", "a: 1\n"),
    "yaml_parse": ("yaml_parse('a: 1')", "yaml_parse('a: 1')", {"a": 1}),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_in_both_languages(name: str) -> None:
    yaql, jinja, expected = FUNCTIONS[name]
    assert value(f"<% {yaql} %>") == expected
    assert value(f"{{{{ {jinja} }}}}") == expected
    # The filters are functions in Jinja too; both are known to the inspection.
    assert name in LANGUAGE.names
    assert yaql_language.knows(LANGUAGE.yaql, name)


def test_the_table_has_every_function() -> None:
    of_jinja = {"range", "dict", "lipsum", "cycler", "joiner", "namespace"}
    assert FUNCTIONS.keys() == LANGUAGE.names - of_jinja


def test_times_are_texts() -> None:
    now = datetime.fromisoformat(value("<% now() %>"))
    assert now.tzinfo is not None
    assert value("<% dict(a => [datetime(2020, 1, 2)]) %>") == {"a": ["2020-01-02T00:00:00+00:00"]}
    assert value("on <% datetime(2020, 1, 2) %>") == "on 2020-01-02T00:00:00+00:00"
    assert value("<% now() > datetime(2020, 1, 2) and now().format('%Y') > '2020' %>") is True


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
        ("<% timespan(hours => 1) %>", "no JSON"),
        ("<% jsonpath_query(ctx(deep), '$.x[') %>", "is no JSONPath"),
        ("<% range(99999).select($ + 1).len() %>", "more than 20000 steps"),
        ("<% 'x' * 100000000 %>", "memory"),
        ("<% range(0, 1000000000).len() %>", "more than 100000 items"),
        ("<% sequence(0).len() %>", "more than 100000 items"),
        ("<% ('a' * 40 + 'b').matches('^(a|aa)+$') %>", "takes longer"),
        ("<% ('a' * 40 + 'b') =~ '^(a|aa)+$' %>", "takes longer"),
        ("<% regex('^(a|aa)+$').searchAll('a' * 40 + 'b') %>", "takes longer"),
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
    monkeypatch.setattr(regexes, "SECONDS", 0.1)
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
