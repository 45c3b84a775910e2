"""Templates that would take for ever, or all memory."""

from __future__ import annotations

import pytest

from st2common.expressions.templates import TemplateError, evaluate_strictly, render


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}", "more than 100000 times"),
        (
            (
                "{% macro m(n) %}{% for a in range(10) %}{% if n %}{{ m(n - 1) }}{% endif %}{% endfor %}{% endmacro %}"
                "{{ m(9) }}"
            ),
            "more than 100000 times",
        ),
        ("{{ 'x' * 100000000 }}", "too long"),
        ("{{ 10000000 * [1, 2] }}", "too long"),
        ("{{ 10 ** 100000000 }}", "too large"),
        ("{{ range(100000000) | list }}", "too big"),
    ],
)
def test_it_fails_soon(text: str, message: str) -> None:
    for rendering in (render, evaluate_strictly):
        with pytest.raises(TemplateError, match=message):
            rendering(text, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% for a in items %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}", "1/2,2/2"),
        ("{% for a in {} %}{% else %}none{% endfor %}", "none"),
        ("{% for a in items if a != 'a' %}{{ a }}{% endfor %}", "b"),
        ("{% for key, value in {'k': 1}.items() %}{{ key }}{{ value }}{% endfor %}", "k1"),
        (
            "{% for a in [[1, [2]]] recursive %}{{ a if a is number else loop(a) }}{% endfor %}",
            "12",
        ),
        ("{{ '-' * 3 }}{{ 2 ** 10 }}{{ 2 * 2.5 }}{{ 2 ** -1 }}", "---10245.00.5"),
    ],
)
def test_what_is_usual_works(text: str, expected: str) -> None:
    assert render(text, {"items": ["a", "b"]}) == expected
    assert evaluate_strictly(text + "", {"items": ["a", "b"]}) == expected
