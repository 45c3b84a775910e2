"""Regular expressions that people write end soon, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from st2common.errors import ValidationError
from st2common.expressions import regexes, templates, yaql_language
from st2common.expressions.regexes import Regex, RegexError
from st2common.expressions.templates import TemplateError
from st2common.expressions.yaql_language import YaqlError
from st2common.services import alias_matching
from st2common.services.draft4 import Validator, to_draft4
from st2common.services.triggers import check_value

# Takes the standard library's engine, and most others, longer than anybody lives.
SLOW, TEXT = "(a|a|aa)+$", "a" * 60 + "!"
SCOPE = {"text": TEXT, "slow": SLOW}
TOO_LONG = "takes longer"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regexes, "SECONDS", 0.05)


@pytest.mark.parametrize(
    "use",
    [
        lambda regex: regex.match(TEXT),
        lambda regex: regex.search(TEXT),
        lambda regex: regex.findall(TEXT),
        lambda regex: list(regex.finditer(TEXT)),
        lambda regex: regex.split(TEXT),
        lambda regex: regex.sub("", TEXT),
    ],
)
def test_each_use_has_a_time_limit(use: Callable[[Regex], Any]) -> None:
    with pytest.raises(RegexError, match=TOO_LONG):
        use(Regex(SLOW))


def test_replacing() -> None:
    assert Regex("(a)(?P<rest>b*)").sub(r"\g<rest>\1", "abb ab", count=1) == "bba ab"
    assert Regex("").sub("-", "ab") == "-a-b-"


@pytest.mark.parametrize("pattern", ["(", "(" * 5000])
def test_what_is_none(pattern: str) -> None:
    with pytest.raises(RegexError):
        Regex(pattern)


@pytest.mark.parametrize("name", ["match", "search", "replace", "substring"])
def test_filters_of_templates(name: str) -> None:
    for render in (templates.render, templates.evaluate_strictly):
        with pytest.raises(TemplateError, match=TOO_LONG):
            render(f"{{{{ text | regex_{name}(slow) }}}}", SCOPE)
        with pytest.raises(TemplateError, match="no regular expression"):
            render(f"{{{{ text | regex_{name}('(') }}}}", SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ 'abc' | regex_match('b') }} {{ 'abc' | regex_search('B', ignorecase=true) }}", "False True"),
        (r"{{ 'a1b22' | regex_replace('(\\d+)', '<\\1>') }}", "a<1>b<22>"),
        (r"{{ 'a1b22' | regex_substring('\\d+', 1) }}", "22"),
    ],
)
def test_filters_do_what_they_say(text: str, expected: str) -> None:
    assert templates.render(text, {}) == expected


def _yaql(text: str) -> Any:
    functions = yaql_language.with_functions({"text": lambda: TEXT, "slow": lambda: SLOW})
    return yaql_language.evaluate(text, functions, None)


@pytest.mark.parametrize(
    "text",
    [
        "text().matches(slow())",
        "text() =~ slow()",
        "text() !~ slow()",
        "text() =~ regex(slow())",
        "regex(slow()).matches(text())",
        "regex(slow()).search(text())",
        "regex(slow()).searchAll(text())",
        "regex(slow()).split(text())",
        "regex(slow()).replace(text(), x)",
        "text().replaceBy(regex(slow()), $.value)",
    ],
)
def test_functions_of_yaql(text: str) -> None:
    with pytest.raises(YaqlError, match=TOO_LONG):
        _yaql(text)


@pytest.mark.parametrize("text", ["1.matches(a)", "1 =~ a", "a =~ '('", "null !~ a"])
def test_what_yaql_cannot_compare_is_an_error(text: str) -> None:
    with pytest.raises(YaqlError):
        _yaql(text)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"a": {"type": "string", "pattern": SLOW}}}, {"a": TEXT}),
        ({"patternProperties": {SLOW: {"type": "string"}}}, {TEXT: "x"}),
        ({"patternProperties": {SLOW: {}}, "additionalProperties": False}, {TEXT: "x"}),
    ],
)
def test_schemas(schema: dict[str, Any], value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=TOO_LONG):
        check_value({"type": "object", **schema}, value, "payload")


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({"n1": 1, "other": "x"}, []),
        ({"n1": "x"}, ["'x' is not of type 'integer'"]),
        ({"n1": 1, "nothing": 1}, ["Additional properties are not allowed ('nothing' was unexpected)"]),
        ({"other": "y"}, ["'y' does not match '^x'"]),
        ([], ["[] is not of type 'object'"]),
    ],
)
def test_schemas_with_patterns_mean_what_they_say(value: Any, problems: list[str]) -> None:
    schema = {
        "type": "object",
        "properties": {"other": {"type": "string", "pattern": "^x"}},
        "patternProperties": {r"^n\d$": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert [fault.message for fault in Validator(to_draft4(schema)).iter_errors(value)] == problems


def test_formats_of_aliases() -> None:
    with pytest.raises(ValidationError, match=TOO_LONG):
        alias_matching.parameters_in(f"run {TEXT}", r"run (a|a|aa)+b")
