"""Many rules at once give the answers that each gives alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.errors import ValidationError
from st2common.rules.criteria import Criterion
from st2common.rules.matching import Event, Matcher

FIELDS = ("a", "b", "c.d")
SCALARS = st.sampled_from([0, 1, 2, True, 1.5, "", "x", "X", "xy", "1"])
ANYTHING = SCALARS | st.none() | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from("xy"), SCALARS)
CRITERION = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["equals", "eq", "neq", "lt", "gt", "contains", "startswith", "exists", "in", "regex"]),
        "pattern": SCALARS | st.sampled_from(["{{ trigger.a }}", "{{ trigger.nosuch }}", "x{{ 1 }}"]),
    }
)
CRITERIA = st.dictionaries(
    st.sampled_from([f"trigger.{name}{mark}" for name in FIELDS for mark in ("", "#1")]), CRITERION, max_size=3
)
RULE = st.fixed_dictionaries(
    {"criteria": CRITERIA, "type": st.sampled_from([{"ref": "standard"}, {"ref": "backstop"}])}
)
PAYLOAD = st.fixed_dictionaries(
    {}, optional={"a": ANYTHING, "b": ANYTHING, "c": st.fixed_dictionaries({"d": ANYTHING})}
)


def alone(rule: dict[str, Any], event: Event) -> str | None:
    """ "matches", "failed" or None, by the words of the contract."""
    if rule["criteria"] and not event.payload:
        return None
    failed = False
    for key, definition in rule["criteria"].items():
        try:
            if not Criterion(key, definition).check(event.root, event.scope):
                return None
        except ValidationError:
            failed = True
    return "failed" if failed else "matches"


@given(st.lists(RULE, max_size=8), PAYLOAD)
def test_as_if_each_rule_was_alone(drawn: list[dict[str, Any]], payload: dict[str, Any]) -> None:
    rules = [{**rule, "ref": f"mine.{number}"} for number, rule in enumerate(drawn)]
    event = Event(payload, None)
    expected = []
    for kind in ("standard", "backstop"):
        if kind == "backstop" and any(answer == "matches" for _, answer in expected):
            break
        expected += [
            (rule["ref"], answer) for rule in rules if rule["type"]["ref"] == kind and (answer := alone(rule, event))
        ]
    found = Matcher(rules).match(event)
    assert [(match.rule["ref"], "failed" if match.error else "matches") for match in found] == expected


def rule(criteria: Any = None, **more: Any) -> dict[str, Any]:
    return {"ref": "mine.rule", "criteria": criteria or {}, **more}


def test_an_empty_event_meets_no_criteria() -> None:
    exists = {"trigger.a": {"type": "nexists", "pattern": True}}
    assert Matcher([rule(exists)]).match(Event({}, None)) == []
    assert len(Matcher([rule()]).match(Event({}, None))) == 1


def test_a_criterion_that_says_no_hides_one_that_cannot_be_told() -> None:
    no = {"trigger.a": {"type": "eq", "pattern": 2}}
    broken = {"trigger.b": {"type": "lt", "pattern": 2}}
    for criteria in ({**no, **broken}, {**broken, **no}):
        assert Matcher([rule(criteria)]).match(Event({"a": 1}, None)) == []


@pytest.mark.parametrize(
    ("pattern", "value"),
    [("{{ trigger.n }}", 5), ("{{ trigger.n }}x", "5x"), ("{{ trigger.list }}", [1]), ("{{ trigger.none }}", None)],
)
def test_a_pattern_that_is_one_expression_keeps_its_type(pattern: str, value: Any) -> None:
    payload = {"n": 5, "list": [1], "none": None, "v": value}
    found = Matcher([rule({"trigger.v": {"type": "eq", "pattern": pattern}})]).match(Event(payload, None))
    # To compare with null is a "no", as everywhere but in "neq".
    assert len(found) == (value is not None)


def test_a_rule_that_can_never_be_checked_says_so_each_time() -> None:
    nested = {"type": "search", "condition": "any", "pattern": {"item.x": {"type": "nosuch", "pattern": 1}}}
    [match] = Matcher([rule({"trigger.a": nested})]).match(Event({"a": [1]}, None))
    assert match.error is not None
    assert 'no operator "nosuch"' in match.error
