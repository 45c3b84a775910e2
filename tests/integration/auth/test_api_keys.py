"""``/apikeys``: keys are made, shown once, changed, loaded from dumps, and deleted."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient
from pymongo.database import Database

from st2common.auth.api_keys import COLLECTION
from st2common.auth.tokens import Tokens

MASK = "********"


class Caller:
    def __init__(self, client: FlaskClient, token: str) -> None:
        self._client = client
        self._headers = {"X-Auth-Token": token}

    def __call__(self, method: str, path: str = "", **request: Any) -> Any:
        return self._client.open(f"/v1/apikeys{path}", method=method, headers=self._headers, **request)


@pytest.fixture
def ask(client: FlaskClient, tokens: Tokens) -> Caller:
    return Caller(client, tokens.create("ada", 3600).token)


def opens(client: FlaskClient, key: str) -> bool:
    return client.get("/v1/user", headers={"St2-Api-Key": key}).status_code == 200


def test_a_key_is_shown_once_and_stored_as_a_hash(
    ask: Caller, client: FlaskClient, database: Database[dict[str, Any]]
) -> None:
    made = ask("POST", json={})
    assert made.status_code == 201
    assert set(made.json) == {"id", "uid", "user", "key", "metadata", "created_at", "enabled"}
    assert (made.json["user"], made.json["metadata"], made.json["enabled"]) == ("ada", {}, True)
    key = made.json["key"]
    assert opens(client, key)
    [stored] = database[COLLECTION].find()
    assert stored["key_hash"] == hashlib.sha512(b"saltnpepper" + key.encode()).hexdigest()
    assert key not in str(stored)
    for path in (f"/{made.json['id']}", f"/{key}"):
        got = ask("GET", path).json
        assert (got["id"], got["key_hash"], got["uid"]) == (made.json["id"], MASK, MASK)
    shown = ask("GET", f"/{made.json['id']}?show_secrets=true").json
    assert shown["key_hash"] == stored["key_hash"]
    assert shown["uid"] == f"api_key:{stored['key_hash']}"
    assert "key" not in shown


def test_the_list(ask: Caller) -> None:
    empty = ask("GET", "?limit=50&user=ada")
    assert (empty.json, empty.headers["X-Limit"], empty.headers["X-Total-Count"]) == ([], "50", "0")
    made = [ask("POST", json={"user": user}).json["id"] for user in ("ada", "grace", "lin")]
    everything = ask("GET")
    assert [key["id"] for key in everything.json] == made
    assert [key["user"] for key in everything.json] == ["ada", "grace", "lin"]
    part = ask("GET", "?limit=1&offset=1")
    assert ([key["id"] for key in part.json], part.headers["X-Total-Count"]) == ([made[1]], "3")


def test_a_key_is_disabled_and_enabled(ask: Caller, client: FlaskClient) -> None:
    made = ask("POST", json={"metadata": {"for": "ci"}}).json
    whole = ask("GET", f"/{made['id']}").json
    disabled = ask("PUT", f"/{made['id']}", json={**whole, "enabled": False})
    assert (disabled.status_code, disabled.json) == (200, {**whole, "enabled": False})
    assert not opens(client, made["key"])
    assert ask("PUT", f"/{made['key']}", json={**whole, "enabled": True, "metadata": {}}).json["metadata"] == {}
    assert opens(client, made["key"])
    assert ask("DELETE", f"/{made['id']}").status_code == 204
    assert not opens(client, made["key"])
    for method in ("GET", "PUT", "DELETE"):
        assert ask(method, f"/{made['key']}", json={}).status_code == 404


def test_a_dump_of_keys_is_loaded(ask: Caller, client: FlaskClient) -> None:
    dumped = {
        "id": "5d9f0e0a0b0c0d0e0f101112",
        "uid": MASK,
        "user": "grace",
        "key_hash": hashlib.sha512(b"saltnpepper" + b"the-old-key").hexdigest(),
        "metadata": {"used_by": "my integration"},
        "created_at": "2016-03-03T16:52:24.000000Z",
        "enabled": True,
    }
    assert ask("PUT", f"/{dumped['id']}", json=dumped).status_code == 404
    loaded = ask("POST", json=dumped)
    assert (loaded.status_code, loaded.json["key"]) == (201, None)
    assert opens(client, "the-old-key")
    assert ask("GET", f"/{dumped['id']}").json == {**dumped, "key_hash": MASK}
    assert ask("PUT", f"/{dumped['id']}", json=dumped).status_code == 200
    again = ask("POST", json={**dumped, "id": None})
    assert (again.status_code, again.json["conflict-id"]) == (409, dumped["id"])


@pytest.mark.parametrize(
    "body",
    [
        {"zzz": 1},
        {"enabled": "yes"},
        {"metadata": []},
        {"user": 5},
        {"id": "nonsense"},
        {"created_at": "yesterday"},
        {"key": "mine"},
        [],
    ],
)
def test_what_a_key_cannot_be_made_of(ask: Caller, body: object) -> None:
    assert ask("POST", json=body).status_code == 400


def test_the_hash_of_a_key_stays(ask: Caller) -> None:
    made = ask("POST", json={"user": None, "metadata": None, "enabled": None, "key_hash": None, "id": None}).json
    for unchanged in ("", MASK, None):
        assert ask("PUT", f"/{made['id']}", json={"key_hash": unchanged}).status_code == 200
    assert ask("PUT", f"/{made['id']}", json={"key_hash": "0" * 128}).status_code == 400
