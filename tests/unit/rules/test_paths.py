from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.errors import ValidationError
from st2common.rules.paths import finder, without_comment

EVENT = {
    "trigger": {
        "body": {"name": "x", "items": [{"n": 1}, {"n": 2}], "a.b": 3, "foo-bar": 4, "Ünï": 5, "": 6},
        "headers": {"X-Hub-Event": "push"},
    }
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("trigger.body.name", "x"),
        ("trigger.body.items[1].n", 2),
        ("trigger.body.items[7].n", None),
        ("trigger.body['a.b']", 3),
        ('trigger.body."a.b"', 3),
        ("trigger.body.foo-bar", 4),
        ("trigger.body.Ünï", 5),
        ("trigger.headers['X-Hub-Event']", "push"),
        ("trigger.nosuch.at.all", None),
        ("trigger.body.name.more", None),
        ("nosuch", None),
        # The library's.
        ("trigger.body.items[*].n", 1),
        ("trigger.body.items[-1].n", 2),
        ("trigger.body.items[?(@.n > 1)].n", 2),
        ("$.trigger.body.name", "x"),
        ("trigger..n", 1),
    ],
)
def test_the_first_match(path: str, value: Any) -> None:
    assert finder(path)(EVENT) == value


def test_what_is_behind_the_mark_does_not_count() -> None:
    assert without_comment("trigger.x#2") == "trigger.x"


@pytest.mark.parametrize("path", ["trigger.[", "trigger.body[?(", "", "trigger.items[*", "x" * 2000])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValidationError):
        finder(path)


# What the library will not have for ever may still be written.
@pytest.mark.filterwarnings("ignore:.*operator is deprecated:DeprecationWarning")
@given(st.text(max_size=20))
def test_every_text_is_a_path_or_told_to_be_none(text: str) -> None:
    try:
        find = finder(text)
    except ValidationError:
        return
    find(EVENT)
