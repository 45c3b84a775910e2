"""The authentication service: from a password to a token."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2api.auth.application import make_app
from st2common.auth.failed_logins import WINDOW
from st2common.auth.tokens import COLLECTION
from st2common.errors import ConfigError

ADA = ("ada", "secret")


@pytest.mark.parametrize("path", ["/tokens", "/v1/tokens", "/auth/v1/tokens", "/auth/tokens/"])
def test_a_login(auth: FlaskClient, path: str) -> None:
    response = auth.post(path, json={}, auth=ADA)
    assert response.status_code == 201
    assert response.headers["X-API-URL"] == "http://127.0.0.1:9101"
    token = response.json
    assert set(token) == {"id", "user", "token", "expiry", "metadata"}
    assert token["user"] == "ada"
    assert len(bytes.fromhex(token["token"])) == 16
    assert token["expiry"].endswith("000Z")
    left = datetime.fromisoformat(token["expiry"]).timestamp() - datetime.now().timestamp()
    assert 86_300 < left <= 86_400


def test_the_javascript_client_sends_an_empty_form(auth: FlaskClient) -> None:
    form = auth.post("/tokens", auth=ADA, content_type="application/x-www-form-urlencoded")
    assert form.status_code == 201
    assert auth.post("/tokens", auth=ADA).status_code == 201


def test_a_token_is_not_stored_in_clear(auth: FlaskClient, database: Database[dict[str, Any]]) -> None:
    token = auth.post("/tokens", json={}, auth=ADA).json["token"]
    [stored] = database[COLLECTION].find()
    assert token not in str(stored)


@pytest.mark.parametrize(
    ("ttl", "status", "message"),
    [
        (60, 201, None),
        (86400, 201, None),
        (None, 201, None),
        (86401, 400, "TTL specified 86401 is greater than max allowed 86400."),
        (0, 400, "TTL 0 is not a number of seconds."),
        (-5, 400, "TTL -5 is not a number of seconds."),
        (True, 400, "TTL True is not a number of seconds."),
        ("60", 400, "TTL '60' is not a number of seconds."),
    ],
)
def test_the_life_of_a_token(auth: FlaskClient, ttl: object, status: int, message: str | None) -> None:
    response = auth.post("/tokens", json={"ttl": ttl, "whatever": 1}, auth=ADA)
    assert (response.status_code, response.json.get("faultstring")) == (status, message)


@pytest.mark.parametrize(
    "credentials", [("ada", "wrong"), ("ada", ""), ("nobody", "secret"), ("", ""), ("ada\u00e9", "secret"), None]
)
def test_wrong_credentials(
    auth: FlaskClient, credentials: tuple[str, str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = auth.post("/tokens", json={}, auth=credentials)
    assert (response.status_code, response.json) == (401, {"faultstring": "Invalid or missing credentials"})
    assert "secret" not in caplog.text
    assert "wrong" not in caplog.text


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic YWRh", "Bearer x", "Digest username=ada"])
def test_no_basic_credentials(auth: FlaskClient, header: str) -> None:
    assert auth.post("/tokens", json={}, headers={"Authorization": header}).status_code == 401


def test_guessing_is_slowed_down(auth: FlaskClient) -> None:
    for _ in range(5):
        assert auth.post("/tokens", json={}, auth=("ada", "wrong")).status_code == 401
    refused = auth.post("/tokens", json={}, auth=ADA)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= WINDOW
    assert auth.post("/tokens", json={}, auth=("grace", "hopper")).status_code == 201
    elsewhere = {"X-Forwarded-For": "10.0.0.9, 192.0.2.7"}
    assert auth.post("/tokens", json={}, auth=ADA, headers=elsewhere).status_code == 201


def test_whether_a_token_is_good(auth: FlaskClient) -> None:
    token = auth.post("/tokens", json={}, auth=ADA).json["token"]
    good = auth.post("/auth/v1/tokens/validate", json={"token": token})
    assert (good.status_code, good.json) == (200, {"valid": True})
    for other in ("", "x", token[:-1], token.upper() + "0", "f" * 5000):
        assert auth.post("/tokens/validate", json={"token": other}).json == {"valid": False}
    assert auth.post("/tokens/validate", json={}).status_code == 400


def test_single_sign_on_is_off(auth: FlaskClient) -> None:
    assert auth.get("/sso").json == {"enabled": False}
    for answered in (auth.get("/sso/request"), auth.post("/sso/callback")):
        assert (answered.status_code, "not enabled" in answered.json["faultstring"]) == (404, True)
    assert auth.get("/tokens").status_code == 404
    assert auth.options("/tokens").status_code == 200


@pytest.mark.parametrize(("body", "status"), [([], 400), ("{", 400), ({"user": "ada"}, 403)])
def test_bodies_that_are_refused(auth: FlaskClient, body: object, status: int) -> None:
    sent: dict[str, Any] = {"data": body, "content_type": "application/json"} if body == "{" else {"json": body}
    assert auth.post("/tokens", auth=ADA, **sent).status_code == status


def test_only_a_service_acts_for_others(auth: FlaskClient, database: Database[dict[str, Any]]) -> None:
    users = [
        {"name": "chatops", "is_service": True},
        {"name": "grace", "is_service": False, "nicknames": {"slack": "ghopper"}},
    ]
    database["user_d_b"].insert_many(users)
    bot = ("chatops", "bot")
    assert auth.post("/tokens", json={"user": "ada"}, auth=bot).json["user"] == "ada"
    named = {"impersonate_user": "ghopper", "nickname_origin": "slack"}
    assert auth.post("/tokens", json=named, auth=bot).json["user"] == "grace"
    assert auth.post("/tokens", json={**named, "nickname_origin": "irc"}, auth=bot).status_code == 400
    assert auth.post("/tokens", json={"user": ["ada"]}, auth=bot).status_code == 400
    refused = auth.post("/tokens", json={"user": "ada"}, auth=("grace", "hopper"))
    assert refused.status_code == 403


def test_a_trusted_proxy(config: cfg.ConfigOpts, database: Database[dict[str, Any]]) -> None:
    config.set_override("mode", "proxy", group="auth")
    client = make_app(config, database).test_client()
    assert client.post("/tokens", json={}, headers={"X-Forwarded-User": "ada"}).json["user"] == "ada"
    assert client.post("/tokens", json={}, environ_overrides={"REMOTE_USER": "grace"}).json["user"] == "grace"
    assert client.post("/tokens", json={}, auth=("lin", "unchecked")).json["user"] == "lin"
    assert client.post("/tokens", json={}).status_code == 401


def test_without_a_proxy_its_headers_are_nothing(auth: FlaskClient) -> None:
    assert auth.post("/tokens", json={}, headers={"X-Forwarded-User": "ada"}).status_code == 401


@pytest.mark.parametrize(
    ("backend", "arguments", "message"),
    [
        ("nonsense", None, "nonsense is not installed. Installed: .*flat_file"),
        ("flat_file", None, "do not suit the backend flat_file: .*file_path"),
        ("flat_file", '{"file_path": "x", "more": 1}', "do not suit the backend flat_file"),
        ("flat_file", "[1]", "must be a JSON object"),
        ("flat_file", '{"password": geheim}', "must be a JSON object"),
    ],
)
def test_a_backend_that_cannot_be_made_is_told_at_the_start(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], backend: str, arguments: str | None, message: str
) -> None:
    config.set_override("backend", backend, group="auth")
    config.set_override("backend_kwargs", arguments, group="auth")
    with pytest.raises(ConfigError, match=message) as refused:
        make_app(config, database)
    assert "geheim" not in str(refused.value)


def test_a_missing_password_file_lets_nobody_in(config: cfg.ConfigOpts, database: Database[dict[str, Any]]) -> None:
    config.set_override("backend_kwargs", '{"file_path": "/nonexistent/htpasswd"}', group="auth")
    response = make_app(config, database).test_client().post("/tokens", json={}, auth=ADA)
    assert (response.status_code, response.json) == (500, {"faultstring": "Internal Server Error"})
