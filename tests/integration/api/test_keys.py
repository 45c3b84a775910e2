"""The datastore over HTTP: the answers that clients of the original got, and the habits of those clients."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg

from st2common.datastore.crypto import CryptoKey
from st2common.errors import AccessDenied
from st2common.http.app import create_app

# As recorded from the original.
PLAIN = {
    "uid": "key_value_pair:st2kv.system:bench_key",
    "scope": "st2kv.system",
    "name": "bench_key",
    "value": "v1",
    "secret": False,
    "id": "6b02f236d23843de9f9e3c86",
    "encrypted": False,
}
SECRET = {
    "uid": "key_value_pair:st2kv.system:bench_secret",
    "scope": "st2kv.system",
    "name": "bench_secret",
    "value": (
        "303030303086E917269C891C9F033F8055A085496066BC72A54CD7AAE6A2AB379468626D57421057C95475564B686A969A1055A335437997B6"
    ),
    "secret": True,
    "id": "6b02f236d23843de9f9e3c88",
    "encrypted": True,
}
EXPIRING = {
    "uid": "key_value_pair:st2kv.system:bench_ttl",
    "scope": "st2kv.system",
    "name": "bench_ttl",
    "value": "v2",
    "secret": False,
    "expire_timestamp": "2026-11-22T14:46:30.532225Z",
    "id": "6b02f236d23843de9f9e3c87",
    "encrypted": False,
}
ABSENT = {"faultstring": 'The key "nokey" does not exist in the StackStorm datastore.'}


@pytest.fixture
def key(config: cfg.ConfigOpts, tmp_path: Path) -> CryptoKey:
    made = CryptoKey.generate()
    (tmp_path / "key.json").write_text(made.dump())
    config.set_override("encryption_key_path", str(tmp_path / "key.json"), group="keyvalue")
    return made


def put(client: FlaskClient, name: str, value: str, **more: Any) -> dict[str, Any]:
    # What `st2 key set` sends.
    body = {"name": name, "scope": "system", "user": None, "value": value, **more}
    response = client.put(f"/v1/keys/{name}", json=body)
    assert (response.status_code, response.content_type) == (200, "application/json")
    item: dict[str, Any] = response.json
    return item


def like(item: dict[str, Any], recorded: dict[str, Any], *changing: str) -> bool:
    """Whether they are the same but for the fields that change, which have the same form."""
    forms = [
        {name: _form(each[name]) if name in changing else each[name] for name in each} for each in (item, recorded)
    ]
    return forms[0] == forms[1]


def _form(text: str) -> str:
    return re.sub(r"[0-9A-Fa-f]", "0", text)


def names(client: FlaskClient, query: str) -> list[str]:
    response = client.get(f"/v1/keys/?{query}")
    assert response.status_code == 200, response.text
    return [item["name"] for item in response.json]


def test_recorded_answers(client: FlaskClient, key: CryptoKey) -> None:
    stored = put(client, "bench_key", "v1")
    assert like(stored, PLAIN, "id")
    assert client.get("/v1/keys/bench_key?decrypt=false&scope=system").json == stored
    secret = put(client, "bench_secret", "shh", secret=True)
    assert like(secret, SECRET, "id", "value")
    expiring = put(client, "bench_ttl", "v2", ttl=3600)
    assert like(expiring, EXPIRING, "id", "expire_timestamp")
    # The stored time has milliseconds; the answer to the one who stored it is exact.
    later = client.get("/v1/keys/bench_ttl").json
    assert later["expire_timestamp"] == expiring["expire_timestamp"][:-4] + "000Z"
    decrypted = client.get("/v1/keys/bench_secret?decrypt=true").json
    assert decrypted == {**secret, "value": "shh", "encrypted": False}
    for query in ("", "scope=all&decrypt=false&limit=50"):
        listed = client.get(f"/v1/keys/?{query}")
        assert listed.json == [stored, secret, later]
        assert "X-Total-Count" not in listed.headers
    assert client.get("/v1/keys?decrypt=True").json[1] == decrypted


def test_absent_keys(client: FlaskClient) -> None:
    for response in (client.get("/v1/keys/nokey"), client.delete("/v1/keys/nokey")):
        assert (response.status_code, response.json) == (404, ABSENT)


def test_deleting(client: FlaskClient) -> None:
    put(client, "k", "v")
    response = client.delete("/v1/keys/k?scope=system")
    assert (response.status_code, response.data) == (204, b"")
    assert client.get("/v1/keys/k").status_code == 404


def test_a_new_value_keeps_nothing_but_the_id(client: FlaskClient, key: CryptoKey) -> None:
    first = put(client, "k", "v", secret=True, ttl=60, description="old")
    assert first["description"] == "old"
    second = put(client, "k", "w")
    expected = {**PLAIN, "name": "k", "uid": "key_value_pair:st2kv.system:k", "value": "w", "id": first["id"]}
    assert second == expected
    assert client.get("/v1/keys/k").json == expected


def test_a_ttl_of_zero_is_none(client: FlaskClient) -> None:
    assert "expire_timestamp" not in put(client, "k", "v", ttl=0)
    assert "expire_timestamp" not in put(client, "k", "v", ttl=None)


def test_what_libraries_send_along_does_not_count(client: FlaskClient) -> None:
    body = {"value": "v", "id": "k", "uid": "x", "name": "other", "expire_timestamp": "never", "unknown": 1}
    stored = client.put("/v1/keys/k", json=body).json
    assert stored["id"] != "k"
    assert (stored["name"], stored["uid"]) == ("k", "key_value_pair:st2kv.system:k")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "'value' is a required property"),
        ({"value": None}, "None is not of type 'string'"),
        ({"value": 5}, "5 is not of type 'string'"),
        ({"value": "v", "ttl": -1}, "-1 is less than the minimum of 0"),
        ({"value": "v", "ttl": 10**12}, "1000000000000 is greater than the maximum of 3162240000"),
        ({"value": "v", "ttl": "5"}, "'5' is not of type 'integer', 'null'"),
        ({"value": "v", "secret": "yes"}, "'yes' is not of type 'boolean', 'null'"),
        (
            {"value": "v", "scope": "all"},
            'Scope "all" is not valid: it is one of system, st2kv.system, user, st2kv.user.',
        ),
        ({"value": "x" * (4 * 1024 * 1024 + 1)}, "A value has at most 4194304 characters."),
    ],
)
def test_bodies_that_are_refused(client: FlaskClient, body: dict[str, Any], complaint: str) -> None:
    response = client.put("/v1/keys/k", json=body)
    assert (response.status_code, response.json) == (400, {"faultstring": complaint})
    assert client.get("/v1/keys/k").status_code == 404


@pytest.mark.parametrize("query", ["scope=nosuch", "decrypt=maybe", "limit=0", "limit=x", "offset=-1"])
def test_queries_that_are_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v1/keys?{query}").status_code == 400


def test_the_largest_value_is_stored(client: FlaskClient, key: CryptoKey) -> None:
    value = "x" * (4 * 1024 * 1024)
    put(client, "k", value, secret=True)
    assert client.get("/v1/keys/k?decrypt=true").json["value"] == value


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("examples.Mine:state", "examples.Mine:state"),
        ("examples.Mine%3Astate", "examples.Mine:state"),
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),
        ("100%25%20%C3%BC%3F%26%23", "100% ü?&#"),
    ],
)
def test_names(client: FlaskClient, path: str, name: str) -> None:
    stored = client.put(f"/v1/keys/{path}", json={"value": "v"}).json
    assert stored["name"] == name
    assert client.get(f"/v1/keys/{path}").json == stored
    assert client.delete(f"/v1/keys/{path}").status_code == 204


def test_long_names_are_refused(client: FlaskClient) -> None:
    assert client.put(f"/v1/keys/{'n' * 1025}", json={"value": "v"}).status_code == 400


def test_lists(client: FlaskClient) -> None:
    for name in ("b1", "a2", "a1", "A", "a*"):
        put(client, name, "v")
    assert names(client, "") == ["A", "a*", "a1", "a2", "b1"]
    assert names(client, "sort=-name&limit=2&offset=1") == ["a2", "a1"]
    assert names(client, "sort=nosuch,id") == ["b1", "a2", "a1", "A", "a*"]
    assert names(client, "prefix=a") == ["a*", "a1", "a2"]
    # A prefix is no pattern.
    assert names(client, "prefix=a*") == ["a*"]
    assert names(client, "name=a1,b1&limit=-1") == ["a1", "b1"]
    assert names(client, "prefix=a&name=a1,b1") == ["a1"]
    assert names(client, "prefix=nosuch") == []
    assert len(names(client, "include_attributes=nosuch")) == 5


def test_scopes(client: FlaskClient) -> None:
    system = put(client, "k", "of the system")
    mine = put(client, "k", "mine", scope="user")
    others = put(client, "k", "another's", scope="st2kv.user", user="bob")
    assert mine["uid"] == "key_value_pair:st2kv.user:stanley:k"
    assert (mine["scope"], mine["user"], mine["name"]) == ("st2kv.user", "stanley", "k")
    assert others["user"] == "bob"
    assert "user" not in system
    for query, item in [
        ("", system),
        ("scope=st2kv.system", system),
        ("scope=all", system),
        ("scope=user", mine),
        ("scope=st2kv.user", mine),
        # Naming a user means the scope of users, whatever else is said.
        ("user=bob", others),
        ("user=bob&scope=system", others),
    ]:
        assert client.get(f"/v1/keys/k?{query}").json == item, query
    for query, items in [
        ("", [system]),
        ("scope=all", [system, mine]),
        ("scope=user", [mine]),
        ("user=bob", [others]),
        ("scope=all&user=bob", [others]),
        ("scope=user&prefix=k&name=k", [mine]),
        ("scope=user&prefix=stanley", []),
    ]:
        assert client.get(f"/v1/keys?{query}").json == items, query
    # To delete, the scope has to be said as well.
    assert client.delete("/v1/keys/k?user=bob").status_code == 204
    assert client.get("/v1/keys/k").status_code == 404
    assert client.delete("/v1/keys/k?user=bob&scope=user").status_code == 204
    assert client.get("/v1/keys/k?scope=user").json == mine


def test_limit_and_offset_hold_for_each_scope(client: FlaskClient) -> None:
    for scope in ("system", "user"):
        for number in range(3):
            put(client, f"{scope}{number}", "v", scope=scope)
    assert names(client, "scope=all&limit=1&offset=1") == ["system1", "user1"]


def test_values_that_are_encrypted_already(client: FlaskClient, key: CryptoKey) -> None:
    ciphertext = key.encrypt("shh")
    stored = put(client, "k", ciphertext, encrypted=True)
    assert (stored["value"], stored["secret"], stored["encrypted"]) == (ciphertext, True, True)
    assert client.get("/v1/keys/k?decrypt=1").json["value"] == "shh"
    for value in ("shh", CryptoKey.generate().encrypt("shh")):
        response = client.put("/v1/keys/k", json={"value": value, "encrypted": True})
        assert response.status_code == 400
    assert client.get("/v1/keys/k").json == stored


def test_secrets_need_a_key_file(client: FlaskClient, key: CryptoKey, config: cfg.ConfigOpts) -> None:
    put(client, "k", "shh", secret=True)
    config.set_override("enable_encryption", False, group="keyvalue")
    for response in (
        client.put("/v1/keys/other", json={"value": "v", "secret": True}),
        client.get("/v1/keys/k?decrypt=true"),
        client.get("/v1/keys?decrypt=true"),
    ):
        assert response.status_code == 400
        assert "key file" in response.json["faultstring"]
    # What is not to be decrypted can be read without it.
    assert client.get("/v1/keys/k").json["encrypted"] is True


def test_a_key_file_that_is_none_is_the_operators_fault(client: FlaskClient, key: CryptoKey, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("{}")
    assert client.put("/v1/keys/k", json={"value": "v", "secret": True}).status_code == 500


def test_a_secret_is_encrypted_in_the_database(client: FlaskClient, key: CryptoKey, database: Any) -> None:
    put(client, "k", "shh", secret=True)
    stored = database.key_value_pair_d_b.find_one({"name": "k"})
    assert "shh" not in repr(stored)
    assert key.decrypt(stored["value"]) == "shh"


def test_what_is_denied_is_403() -> None:
    app = create_app("test", prefixes=["/v1"], origins=["http://127.0.0.1"])

    @app.get("/denied")
    def denied() -> Any:
        raise AccessDenied

    response = app.test_client().get("/v1/denied")
    assert (response.status_code, response.json) == (403, {"faultstring": "The user may not do this."})
