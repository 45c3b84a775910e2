from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.errors import ValidationError
from st2common.rules.criteria import Criterion, check
from st2common.rules.operators import OPERATORS, CriterionError


@pytest.mark.parametrize(
    ("operators", "value", "pattern", "answer"),
    [
        ("equals eq", "a", "a", True),
        ("equals eq", 1, "1", False),
        ("equals eq", {"a": [1]}, {"a": [1]}, True),
        ("nequals neq", 1, "1", True),
        ("nequals neq", None, None, False),
        ("iequals ieq", "Ab", "aB", True),
        ("contains", "abc", "b", True),
        ("contains", ["a", 1], 1, True),
        ("contains", {"key": 1}, "key", True),
        ("ncontains", ["a"], "b", True),
        ("icontains", "aBc", "b", True),
        ("icontains", ["A"], "a", True),
        ("incontains", "abc", "X", True),
        ("startswith", "abc", "ab", True),
        ("startswith", "abc", "AB", False),
        ("istartswith", "abc", "AB", True),
        ("endswith", "abc", "bc", True),
        ("iendswith", "abc", "BC", True),
        ("lessthan lt", 1, 2, True),
        ("lessthan lt", "a", "b", True),
        ("greaterthan gt", 2.5, 2, True),
        ("greaterthan gt", 2, 2, False),
        ("matchwildcard", "web-01", "web-*", True),
        ("matchwildcard", "web-01", "WEB-*", False),
        ("matchwildcard", "xweb-01", "web-*", False),
        ("matchregex", "abc", "b", False),
        ("matchregex", "a\nc", "a.c", True),
        ("regex", "abc", "b", True),
        ("regex", "a\nc", "a.c", False),
        ("iregex", "ABC", "b", True),
        ("exists", 0, True, True),
        ("exists", None, True, False),
        ("nexists", None, True, True),
        ("inside in", "a", ["a", "b"], True),
        ("inside in", "a", "abc", True),
        ("ninside nin", 3, [1, 2], True),
    ],
)
def test_what_an_operator_says(operators: str, value: Any, pattern: Any, answer: bool) -> None:
    for name in operators.split():
        assert OPERATORS[name](value, pattern) is answer


def test_how_long_ago() -> None:
    ago = (datetime.now(UTC) - timedelta(seconds=100)).strftime("%Y-%m-%d %H:%M:%S.%f")
    test_what_an_operator_says("timediff_lt td_lt", ago, 200, True)
    test_what_an_operator_says("timediff_lt td_lt", ago, "50", False)
    test_what_an_operator_says("timediff_gt td_gt", ago, "50", True)


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_a_pattern_that_is_null_is_a_no(name: str) -> None:
    takes_null = {"exists": True, "nexists": False, "nequals": True, "neq": True}
    for definition in ({"type": name}, {"type": name, "pattern": "{{ none }}"}):
        answer = Criterion("trigger.a", definition).check({"trigger": {"a": "x"}}, {"none": None})
        assert answer is takes_null.get(name, False)


@pytest.mark.parametrize(
    ("name", "value", "pattern", "text"),
    [
        ("lt", "1", 2, "the value is a text and the pattern a number"),
        ("gt", None, 2, "the value is missing"),
        ("contains", None, "x", "the value is missing"),
        ("contains", "abc", 1, "the pattern is a number"),
        ("inside", [1], "abc", "the value is a list"),
        ("startswith", 5, "x", "the value is a number"),
        ("regex", "x", "(", "no regular expression"),
        ("regex", {"a": 1}, "x", "the value is an object"),
        ("td_lt", "yesterday", 5, "the value is no time"),
        ("td_gt", "2026-01-01 00:00:00.0", "soon", "the pattern is no number of seconds"),
        ("regex", "a" * 40 + "!", "(a|a|aa)+$", "takes longer"),
        ("iregex", "a" * 40 + "!", "(a|a|aa)+$", "takes longer"),
        ("matchregex", "a" * 40 + "!", "(a|a|aa)+$", "takes longer"),
    ],
)
def test_what_cannot_be_compared_is_told(name: str, value: Any, pattern: Any, text: str) -> None:
    with pytest.raises(ValidationError) as raised:
        OPERATORS[name](value, pattern)
    assert text in str(raised.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(OPERATORS)), VALUES, VALUES)
def test_every_operator_answers_or_tells_why_not(name: str, value: Any, pattern: Any) -> None:
    with contextlib.suppress(ValidationError):
        assert OPERATORS[name](value, pattern) in (True, False)


ITEMS = [{"size": 5, "kind": "a"}, {"size": 50, "kind": "b"}]
BIG, KIND_A = {"type": "gt", "pattern": 10}, {"type": "eq", "pattern": "a"}


@pytest.mark.parametrize(
    ("condition", "nested", "answer"),
    [
        ("any", {"item.size": BIG, "item.kind": KIND_A}, False),
        ("any", {"item.size": BIG, "item.kind": {"type": "eq", "pattern": "b"}}, True),
        ("all", {"item.size": {"type": "gt", "pattern": 1}}, True),
        ("all", {"item.size": BIG}, False),
        ("all2any", {"item.size": BIG, "item.kind": KIND_A}, True),
        ("all2any", {"item.size": BIG}, False),
        ("any2any", {"item.size": BIG, "item.kind": {"type": "eq", "pattern": "c"}}, True),
        ("any2any", {"item.kind": {"type": "eq", "pattern": "c"}}, False),
        ("all", {"item.size#1": {"type": "gt", "pattern": 1}, "item.size#2": {"type": "lt", "pattern": 60}}, True),
    ],
)
def test_search(condition: str, nested: dict[str, Any], answer: bool) -> None:
    criterion = Criterion("trigger.items", {"type": "search", "condition": condition, "pattern": nested})
    assert criterion.check({"trigger": {"items": ITEMS}}, {}) is answer


def test_an_object_is_a_list_of_itself_to_search() -> None:
    search = {"type": "search", "condition": "any", "pattern": {"item.size": BIG}}
    assert Criterion("trigger", search).check({"trigger": {"size": 11}}, {}) is True
    with pytest.raises(CriterionError, match="the value is a number"):
        Criterion("trigger.size", search).check({"trigger": {"size": 11}}, {})


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        ({"type": "EQUALS", "pattern": 1}, 'no operator "EQUALS". There are: contains'),
        ({"type": "exists"}, "a pattern is missing"),
        ({"type": "eq", "pattern": None}, "a pattern is missing"),
        ({"pattern": 1}, "an object with type and pattern"),
        ("x", "an object with type and pattern"),
        ({"type": "regex", "pattern": "("}, "no regular expression"),
    ],
)
def test_criteria_that_are_none(definition: Any, text: str) -> None:
    with pytest.raises(ValidationError) as raised:
        check({"trigger.a": definition})
    assert text in str(raised.value)
    assert 'criteria "trigger.a"' in str(raised.value)


def test_the_inside_of_a_search_is_not_looked_at_before() -> None:
    check({"trigger.a": {"type": "search", "condition": "x", "pattern": {"item.x": {"type": "nosuch"}}}})
