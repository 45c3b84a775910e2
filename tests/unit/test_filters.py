from __future__ import annotations

import pytest

from st2common.expressions.templates import is_template, names_in, render


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ '{\"a\": 1}' | from_json_string | to_json_string(sort_keys=true) }}", '{"a": 1}'),
        ("{{ ('a: [1, 2]' | from_yaml_string).a[1] }}", "2"),
        ("{{ {'a': 1} | to_yaml_string }}", "a: 1\n"),
        ("{{ [1, 'x'] | to_complex }}", '[1, "x"]'),
        ("{{ 'say \"hi\"' | json_escape }}", 'say \\"hi\\"'),
        ("{{ 'abc' | regex_match('b') }} {{ 'abc' | regex_search('B', ignorecase=true) }}", "False True"),
        ("{{ 'a-b' | regex_replace('-', '+') }}", "a+b"),
        ("{{ 'x1 y22' | regex_substring('[0-9]+', 1) }}", "22"),
        ("{{ 3661 | to_human_time_from_seconds }} {{ 0 | to_human_time_from_seconds }}", "1h1m1s 0s"),
        ("{{ '/a/b.sh' | basename }} {{ '/a/b.sh' | dirname }}", "b.sh /a"),
        ("{{ '1.10.0' | version_compare('1.9.0') }}", "1"),
        ("{{ '1.0.0-rc.1' | version_less_than('1.0.0') }}", "True"),
        ("{{ '1.0.0-rc.2' | version_more_than('1.0.0-rc.10') }}", "False"),
        ("{{ '1.0.0+a' | version_equal('1.0.0+b') }}", "True"),
        ("{{ '1.5.0' | version_match('>=1.2.0, <2.0.0') }}", "True"),
        ("{{ '1.2.3' | version_bump_major }}", "2.0.0"),
        ("{{ '1.2.3' | version_bump_minor }} {{ '1.2.3' | version_bump_patch }}", "1.3.0 1.2.4"),
        ("{{ '1.2.3' | version_strip_patch }}", "1.2"),
    ],
)
def test_filters(template: str, text: str) -> None:
    assert render(template, {}) == text


def test_templates_are_found_at_any_depth() -> None:
    value = {"a": ["x", {"{{ k }}": "{% if b %}y{% endif %}"}]}
    assert is_template(value)
    assert names_in(value) == {"k", "b"}
    assert render(value, {"k": "key", "b": True}) == {"a": ["x", {"key": "y"}]}
    assert not is_template({"a": ["{ }", 1, None]})


def test_inside_of_lists_one_name_keeps_its_type() -> None:
    assert render(["{{ n }}", "{{ n }}!"], {"n": [1, 2]}) == [[1, 2], "[1, 2]!"]
