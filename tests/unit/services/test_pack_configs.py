"""Configurations of packs: defaults, templates, secrets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from st2common.content import pack_config
from st2common.content.errors import ContentError
from st2common.errors import ValidationError
from st2common.services.pack_configs import resolve


class Datastore:
    """Ciphertexts are texts in angle brackets."""

    def __init__(self) -> None:
        self.system = SimpleNamespace(host="web1", port="22", password="<hush>", empty="")
        self.decrypted: list[str] = []

    def decrypt(self, ciphertext: str) -> str:
        if not ciphertext.startswith("<"):
            raise ValidationError("no ciphertext")
        self.decrypted.append(ciphertext.strip("<>"))
        return ciphertext.strip("<>")


SCHEMA: dict[str, Any] = {
    "host": {"type": "string", "default": "localhost"},
    "port": {"type": "integer"},
    "password": {"type": "string", "secret": True},
    "account": {
        "type": "object",
        "properties": {"user": {"type": "string", "default": "me"}, "key": {"type": "string", "secret": True}},
    },
    "servers": {
        "type": "array",
        "items": {"type": "object", "properties": {"port": {"type": "integer", "default": 1}}},
    },
    "vault": {"type": "object", "secret": True},
}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"host": "localhost", "account": {"user": "me"}}),
        ({"host": "{{st2kv.system.host}}:1"}, {"host": "web1:1"}),
        ({"port": "{{st2kv.system.port}}"}, {"port": 22}),
        ({"host": "{{st2kv.system.empty}}"}, {"host": None}),
        ({"password": "{{st2kv.system.password}}"}, {"password": "hush"}),
        ({"password": "plain"}, {"password": "plain"}),
        ({"host": "{{st2kv.system.password | decrypt_kv}}"}, {"host": "hush"}),
        ({"account": {"key": "{{st2kv.system.password}}"}}, {"account": {"key": "hush", "user": "me"}}),
        ({"servers": [{"port": 5}, {}]}, {"servers": [{"port": 5}, {"port": 1}]}),
        ({"vault": {"a": ["{{st2kv.system.password}}"]}}, {"vault": {"a": ["hush"]}}),
        ({"other": "{{st2kv.system.host}}"}, {"other": "web1"}),
    ],
)
def test_resolution(values: dict[str, Any], expected: dict[str, Any]) -> None:
    resolved = resolve(values, SCHEMA, Datastore())
    assert resolved == {"host": "localhost", "account": {"user": "me"}} | expected


@pytest.mark.parametrize(
    "values",
    [
        {"password": "{{st2kv.system.password | decrypt_kv}}"},
        {"password": "{{st2kv.system.host}}"},
        {"port": "{{st2kv.system.host}}"},
        {"host": "{{nosuch}}"},
    ],
)
def test_what_cannot_be_resolved_names_the_item(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=f"^{next(iter(values))}: "):
        resolve(values, SCHEMA, Datastore())


def test_values_are_checked_unless_they_are_templates() -> None:
    pack_config.check_values({"port": "{{st2kv.system.port}}", "host": "x"}, SCHEMA)
    for wrong in ({"port": "x"}, {"nosuch": 1}, {"account": {"user": 5}}):
        with pytest.raises(ContentError):
            pack_config.check_values(wrong, SCHEMA)
    with pytest.raises(ContentError) as caught:
        pack_config.check_values({"password": ["hush"]}, SCHEMA)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "schema", [{"a": 5}, {"a": {"typ": "string"}}, {"a": {"type": ["string"]}}, {"a": {"pattern": "("}}]
)
def test_schemas_are_checked(schema: dict[str, Any]) -> None:
    pack_config.check_schema(SCHEMA)
    with pytest.raises(ContentError):
        pack_config.check_schema(schema)
