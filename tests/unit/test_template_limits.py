"""Templates that would take for ever, or all memory."""

from __future__ import annotations

import pytest

from st2common.expressions import limits
from st2common.expressions.templates import TemplateError, evaluate_strictly, render

_GROWING = (
    "{{% set ns = namespace(x='a') %}}{{% for i in range(40) %}}{{% set ns.x = {} %}}{{% endfor %}}{{{{ ns.x }}}}"
)
_YAML_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


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
        (
            "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
            "more than 100000 times",
        ),
        ("{% for i in range(9999) %}{{ 'x' * 9000 }}{% endfor %}", "too long|more than 64000000"),
        ("{% for i in range(99) %}{% set a = 'x' * 9000000 %}{% endfor %}", "more than 64000000"),
        (f"{_GROWING.format('ns.x ~ ns.x')}", "too long"),
        (f"{_GROWING.format('ns.x + ns.x')}", "too long"),
        (f"{_GROWING.format('[ns.x, ns.x]')}", "too long"),
        (f"{_GROWING.format('[ns.x, ns.x]|string')}", "too long"),
        ("{% set ns = namespace(x=2) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}", "too large"),
        ("{{ (['x' * 9000000] * 9000)|join }}", "too long"),
        ("{{ ([[1] * 9000] * 9000)|sum(start=[]) }}", "too long"),
        ("{{ '%1000000000d' % 1 }}", "width"),
        ("{{ '%*d' % (1000000000, 1) }}", "width"),
        ("{{ '%1000000000d'|format(1) }}", "width"),
        ("{{ '{:>1000000000}'.format(1) }}", "width"),
        ("{{ '{:>{}}'.format(1, 1000000000) }}", "width"),
        ("{{ ['{:>1000000000}']|map('center', 1000000000)|list }}", "width"),
        ("{{ 'x'|center(1000000000) }}", "width"),
        ("{{ 'x'|indent(1000000000) }}", "width"),
        ("{{ [1]|slice(1000000000)|list }}", "width"),
        ("{{ 15|round(-1000000000) }}", "width"),
        ("{{ 'x'.ljust(1000000000) }}", "too long"),
        ("{{ (1).to_bytes(1000000000, 'big') }}", "too long"),
        ("{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}", "too long"),
        ("{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}", "too long"),
        ("{{ ('\t' * 1000000).expandtabs(10000) }}", "too long"),
        ("{{ 'ab'.join('x' * 9000000) }}", "too long"),
        ("{{ 'x'.join(['y' * 9000000] * 2000) }}", "too long"),
        ("{{ ('x y' * 1000000)|title }}", "too long"),
        ("{{ lipsum(n=1000000) }}", "undefined"),
        ("{{ yaml_bomb|from_yaml_string }}", "too long"),
        ("{{ ('- x\n' * 1000000)|from_yaml_string }}", "more than 1000000 characters"),
        ("{{ ('a' * 40 ~ 'b')|regex_substring('^(a|aa)+$') }}", "takes longer than"),
    ],
)
def test_it_fails_soon(text: str, message: str) -> None:
    for rendering in (render, evaluate_strictly):
        with pytest.raises(TemplateError, match=message):
            rendering(text, {"yaml_bomb": _YAML_BOMB})


def test_what_takes_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is large, and no loop goes round often."""
    monkeypatch.setattr(limits, "MAX_SECONDS", 0.05)
    with pytest.raises(TemplateError, match="takes longer"):
        render("{% for i in range(99999) %}{% if 'y' in big %}{% endif %}{% endfor %}", {"big": "x" * 1_000_000})
    with pytest.raises(TemplateError, match="takes longer"):
        render("{{ range(99999)|select('in', big)|list }}", {"big": list("x" * 100_000)})


def test_a_result_of_the_largest_size_can_be_passed_on() -> None:
    text = "x" * (15 * 1024 * 1024)
    assert render("{{ result.stdout }}", {"result": {"stdout": text}}) == text


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
        ("{{ [[1], [2, 3]]|sum(start=[])|join(',') }}{{ '%5.1f' % 2 }}{{ '{:>4}'.format(1) }}", "1,2,3  2.0   1"),
        ("{{ items|map('upper')|join('-') ~ 1 ~ none }}{{ 'a b'|title|indent(2) }}", "A-B1NoneA B"),
        ("{{ '-' * 3 }}{{ 2 ** 10 }}{{ 2 * 2.5 }}{{ 2 ** -1 }}", "---10245.00.5"),
    ],
)
def test_what_is_usual_works(text: str, expected: str) -> None:
    assert render(text, {"items": ["a", "b"]}) == expected
    assert evaluate_strictly(text + "", {"items": ["a", "b"]}) == expected
