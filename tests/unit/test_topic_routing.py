from __future__ import annotations

import pytest

from st2common.transport.routing import matches


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("create", "create", True),
        ("create", "update", False),
        ("*", "create", True),
        ("*", "create.all", False),
        ("*", "", False),
        ("#", "", True),
        ("#", "a.b.c", True),
        ("a.*.c", "a.b.c", True),
        ("a.*.c", "a.c", False),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("a.#", "b.a", False),
        ("#.c", "a.b.c", True),
        ("#.c", "c", True),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.x.y.c", True),
        ("a.#.c", "a.x.y", False),
        ("a.#.*", "a", False),
        ("#.b.#", "a.b.c", True),
        ("#.#", "a", True),
    ],
)
def test_a_binding_takes_what_rabbitmq_would_give_it(pattern: str, key: str, expected: bool) -> None:
    assert matches(pattern, key) is expected


def test_many_wildcards_stay_cheap() -> None:
    pattern = ".".join(["#", "a"] * 40)
    assert not matches(pattern, ".".join(["a"] * 200 + ["b"]))
