"""Keys of the datastore in templates: which key a template asks for, and that what it gets is a text."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.expressions import templates
from st2common.expressions.templates import TemplateError

KEYS = {"a": "1,2", "a.b": "dotted", "_hidden": "h", "a.title": "T", "json": '{"x": [5]}', "n": "7", "locked": "<ok>"}


class Datastore:
    """Keeps what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.system = self

    def __getitem__(self, name: str) -> str:
        self.asked.append(name)
        return KEYS.get(name, "")

    def decrypt(self, text: str) -> str:
        if not text.startswith("<"):
            raise ValueError("not encrypted")
        return text.strip("<>")


@pytest.mark.parametrize(
    ("template", "text", "asked"),
    [
        ("{{ st2kv.system.a }}", "1,2", ["a"]),
        ("{{ st2kv.system.a.b }}", "dotted", ["a.b"]),
        ("{{ st2kv.system['a.b'] }}", "dotted", ["a.b"]),
        ("{{ st2kv.system['a'].b }}", "dotted", ["a.b"]),
        ("{{ st2kv.system._hidden }}", "h", ["_hidden"]),
        ("{{ st2kv.system.a.title }}", "T", ["a.title"]),
        ("{{ st2kv.system[name] }}", "dotted", ["a.b"]),
        ("<{{ st2kv.system.none.at.all }}>", "<>", ["none.at.all"]),
        ("{{ st2kv.system.none | default('d', true) }}", "d", ["none"]),
        ("{{ st2kv.system.a.split(',')[1] }}", "2", ["a"]),
        ("{{ st2kv.system.a.replace(',', st2kv.system.n) }}", "172", ["a", "n"]),
        ("{{ (st2kv.system.json | from_json_string).x[0] + 1 }}", "6", ["json"]),
        ("{{ st2kv.system.n | int + 1 }}", "8", ["n"]),
        ("{% if st2kv.system.n == '7' %}yes{% endif %}", "yes", ["n"]),
        ("{% for part in st2kv.system.a.split(',') %}{{ part }};{% endfor %}", "1;2;", ["a"]),
        ("{{ st2kv.system.locked | decrypt_kv | upper }}", "OK", ["locked"]),
        ("{% if false %}{{ st2kv.system.a }}{% endif %}", "", []),
        ("{{ other.system.a.b }}", "mine", []),
    ],
)
def test_keys(template: str, text: str, asked: list[str]) -> None:
    datastore = Datastore()
    scope: dict[str, Any] = {"st2kv": datastore, "name": "a.b", "other": {"system": {"a": {"b": "mine"}}}}
    assert templates.render(template, scope) == text
    assert datastore.asked == asked


def test_which_names_a_template_uses() -> None:
    assert templates.names_in("{{ st2kv.system.a.b }} {{ st2kv.system[name] }} {{ cmd }}") == {"st2kv", "name", "cmd"}


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{ st2kv.system.none | decrypt_kv }}", "nothing to decrypt"),
        ("{{ st2kv.system.a | decrypt_kv }}", "not encrypted"),
    ],
)
def test_what_cannot_be_decrypted_is_an_error(template: str, complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        templates.render(template, {"st2kv": Datastore()})
