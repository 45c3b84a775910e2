"""What the API and the stream service take as a proof of who asks."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2api.auth.application import make_app as make_auth
from st2common.auth.action_tokens import FIELD, new_token
from st2common.auth.api_keys import ApiKeys
from st2common.auth.tokens import Tokens, hashed
from st2common.clock import now_us
from st2common.http.app import create_app
from st2common.http.authentication import Authentication, CredentialEnded
from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.transport.memory import MemoryTransport
from st2stream.service import Stream

MISSING = "Unauthorized - One of Token or API key required."


@pytest.fixture
def token(tokens: Tokens) -> str:
    return tokens.create("ada", 3600).token


@pytest.fixture
def key(keys: ApiKeys) -> str:
    _, key = keys.create("grace")
    assert key
    return key


def who(client: FlaskClient, path: str = "/v1/user", **request: Any) -> tuple[str, str, str]:
    response = client.get(path, **request)
    assert response.status_code == 200, response.json
    told = response.json["authentication"]
    return response.json["username"], told["method"], told["location"]


def test_every_place_of_a_credential(client: FlaskClient, token: str, key: str) -> None:
    by_token, by_key = ("ada", "authentication token"), ("grace", "API key")
    assert who(client, headers={"x-auth-token": token}) == (*by_token, "header")
    assert who(client, headers={"St2-Api-Key": key}) == (*by_key, "header")
    assert who(client, f"/v1/user?x-auth-token={token}") == (*by_token, "query")
    assert who(client, f"/v1/user?st2-api-key={key}") == (*by_key, "query")
    assert who(client, headers={"Cookie": f"auth-token={token}"}) == (*by_token, "header")


def test_the_first_place_decides(client: FlaskClient, token: str, key: str) -> None:
    everywhere = f"/v1/user?x-auth-token={token}&st2-api-key={key}"
    assert who(client, everywhere, headers={"X-Auth-Token": token, "St2-Api-Key": key})[0] == "ada"
    assert who(client, everywhere, headers={"St2-Api-Key": key})[0] == "grace"
    assert who(client, everywhere, headers={"Cookie": "auth-token=wrong"})[0] == "ada"
    assert who(client, f"/v1/user?st2-api-key={key}", headers={"Cookie": f"auth-token={token}"})[0] == "grace"
    assert who(client, f"/v1/user?st2-api-key={key}", headers={"X-Auth-Token": "", "St2-Api-Key": ""})[0] == "grace"
    assert who(client, f"/v1/user?x-auth-token=&st2-api-key={key}")[0] == "grace"
    assert client.get(everywhere, headers={"X-Auth-Token": "wrong"}).status_code == 401
    assert client.get(f"/v1/user?x-auth-token=wrong&st2-api-key={key}").status_code == 401


@pytest.mark.parametrize("secret", ["wrong", "0" * 32, "0" * 64, "x" * 5000, "\u00e9"])
def test_what_is_no_credential(client: FlaskClient, secret: str) -> None:
    for name in ("X-Auth-Token", "St2-Api-Key"):
        response = client.get("/v1/executions", headers={name: secret})
        assert response.status_code == 401
        assert response.json["faultstring"].startswith("Unauthorized - Invalid or expired")
    assert client.get("/v1/executions").json == {"faultstring": MISSING}
    assert client.get("/v1/executions", headers={"Authorization": "Basic YWRhOnNlY3JldA=="}).status_code == 401


def test_a_key_is_no_token_and_a_token_no_key(client: FlaskClient, token: str, key: str) -> None:
    assert client.get("/v1/user", headers={"X-Auth-Token": key}).status_code == 401
    assert client.get("/v1/user", headers={"St2-Api-Key": token}).status_code == 401
    assert client.get("/v1/user", headers={"X-Auth-Token": hashed(token)}).status_code == 401


def test_a_token_ends(client: FlaskClient, tokens: Tokens) -> None:
    token = tokens.create("ada", 3600).token
    headers = {"X-Auth-Token": token}
    expiry = client.get("/v1/user", headers=headers).json["authentication"]["token_expire"]
    assert len(expiry) == len("2017-08-25T11:51:06Z")
    expired = tokens.create("ada", 0).token
    assert client.get("/v1/user", headers={"X-Auth-Token": expired}).status_code == 401
    revoked = tokens.create("ada", 60).token
    assert tokens.revoke(revoked)
    assert not tokens.revoke(revoked)
    assert client.get("/v1/user", headers={"X-Auth-Token": revoked}).status_code == 401


def test_everybody_gets_the_page_unknown_paths_and_options(client: FlaskClient) -> None:
    assert client.get("/").status_code == 200
    assert client.get("/v1/", headers={"Accept": "text/html"}).status_code == 200
    assert client.get("/web/app.js").status_code == 200
    assert client.get("/v1/nosuch").status_code == 404
    assert client.delete("/v1/executions").status_code == 404
    assert client.options("/v1/executions").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/executions"),
        ("POST", "/v1/executions"),
        ("GET", "/v1/executions/last/stdout"),
        ("GET", "/v1/executions/last/output"),
        ("GET", "/api/v1/actions"),
        ("GET", "/packs"),
        ("GET", "/keys"),
        ("GET", "/apikeys"),
        ("POST", "/apikeys"),
        ("GET", "/user"),
        ("GET", "/actionexecutions"),
    ],
)
def test_everything_else_asks_who(client: FlaskClient, method: str, path: str) -> None:
    response = client.open(path, method=method)
    assert (response.status_code, response.json) == (401, {"faultstring": MISSING})


def test_no_route_is_open_by_accident(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    open_routes = set()
    for rule in app.url_map.iter_rules():
        method = "GET" if "GET" in rule.methods else sorted(rule.methods - {"HEAD", "OPTIONS"})[0]
        values = dict.fromkeys(rule.arguments, "app.js" if "web" in rule.rule else "stdout")
        path = rule.rule
        with app.test_request_context():
            path = app.url_map.bind("localhost").build(rule.endpoint, values, method=method)
        if client.open(path, method=method).status_code != 401:
            open_routes.add(rule.rule.split("/<")[0])
    assert open_routes == {"/", "/healthz", "/readyz", "/openapi.json", "/web"}


def test_the_cookie_of_a_browser(client: FlaskClient, config: cfg.ConfigOpts, token: str, key: str) -> None:
    def cookie(path: str = "/v1/user", **headers: str) -> str | None:
        return client.get(path, headers=headers).headers.get("Set-Cookie")

    given = cookie(**{"X-Auth-Token": token})
    assert given
    parts = dict(part.partition("=")[::2] for part in given.split("; "))
    assert 3500 < int(parts.pop("Max-Age")) <= 3600
    parts.pop("Expires")
    assert parts == {"auth-token": token, "Secure": "", "HttpOnly": "", "Path": "/", "SameSite": "Lax"}
    assert cookie(f"/v1/user?x-auth-token={token}")
    assert cookie(**{"St2-Api-Key": key}) is None
    assert cookie(Cookie=f"auth-token={token}") is None
    assert cookie(**{"X-Auth-Token": "wrong"}) is None
    config.set_override("auth_cookie_secure", False, group="api")
    config.set_override("auth_cookie_same_site", "unset", group="api")
    relaxed = cookie(**{"X-Auth-Token": token}) or ""
    assert "Secure" not in relaxed
    assert "SameSite" not in relaxed


def test_credentials_are_not_logged(
    client: FlaskClient, token: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client.get(f"/v1/user?x-auth-token={token}&st2-api-key={key}")
        client.get("/v1/user", headers={"X-Auth-Token": token, "Cookie": f"auth-token={token}"})
        client.get(f"/v1/apikeys/{key}", headers={"St2-Api-Key": key})
        client.put(f"/api/v1/apikeys/{key}/", json={}, headers={"St2-Api-Key": key})
    assert "/apikeys/" in caplog.text
    assert token not in caplog.text
    assert key not in caplog.text


def test_executions_are_the_callers(client: FlaskClient, token: str, key: str) -> None:
    wanted = {"action": "core.local", "parameters": {"cmd": "date"}, "context": {"user": "root"}}
    mine = client.post("/v1/executions", json={**wanted, "user": None}, headers={"X-Auth-Token": token})
    assert mine.json["context"]["user"] == "ada"
    for_another = client.post("/v1/executions", json={**wanted, "user": "lin"}, headers={"X-Auth-Token": token})
    assert for_another.status_code == 403
    canceled = client.delete(f"/v1/executions/{mine.json['id']}", headers={"St2-Api-Key": key})
    assert canceled.json["context"]["cancelled_by"] == "grace"


def test_the_token_of_an_action_lives_as_long_as_its_attempt(
    client: FlaskClient, token: str, database: Database[dict[str, Any]]
) -> None:
    started = client.post("/v1/executions", json={"action": "core.local"}, headers={"X-Auth-Token": token}).json
    executions, action_token = Executions(database), new_token(started["id"])
    headers = {"X-Auth-Token": action_token}

    def status() -> int:
        return client.get("/v1/user", headers=headers).status_code

    assert status() == 401
    executions.claim(started["id"], "runner", now_us(), {FIELD: hashed(action_token)})
    told = client.get("/v1/user", headers=headers)
    assert told.json["username"] == "ada"
    assert "token_expire" in told.json["authentication"]
    assert "Set-Cookie" not in told.headers
    shown = client.get(f"/v1/executions/{started['id']}", headers=headers).get_data(as_text=True)
    assert action_token not in shown
    assert hashed(action_token) not in shown
    executions.change(started["id"], Status.CANCELING)
    assert status() == 200
    executions.change(started["id"], Status.CANCELED)
    assert status() == 401


def test_the_stream_service_asks_as_well(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], memory_transport: MemoryTransport, token: str
) -> None:
    stream = Stream(config, database, memory_transport)
    client = stream.app.test_client(use_cookies=False)
    try:
        for path in (
            "/stream",
            "/v1/stream",
            "/stream/v1/stream",
            "/v1/executions/last/output",
            "/executions/x/stdout",
        ):
            assert client.get(path).status_code == 401
        with client.get(f"/v1/stream?x-auth-token={token}") as live:
            assert live.status_code == 200
            assert next(live.iter_encoded()) == b"\n"
    finally:
        stream.close()


class Endless:
    """An application with a stream that says something whenever it is asked, and a silent one."""

    def __init__(self, config: cfg.ConfigOpts, database: Database[dict[str, Any]]) -> None:
        self.closed = threading.Event()
        app = create_app("endless", prefixes=(), origins=["http://127.0.0.1"])
        Authentication(config, database, recheck_interval=0.0).guard(app)

        @app.get("/busy")
        def busy() -> Response:
            return Response(self._lines(), content_type="text/plain")

        @app.get("/silent")
        def silent() -> Response:
            gone = request.environ["st2.client_gone"]

            def wait() -> Iterator[bytes]:
                yield b"first\n"
                while not gone():
                    pass

            return Response(wait(), content_type="text/plain")

        self.client = app.test_client(use_cookies=False)

    def _lines(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"line\n"
        finally:
            self.closed.set()


@pytest.mark.parametrize("path", ["/busy", "/silent"])
@pytest.mark.parametrize("kind", ["token", "key"])
def test_a_revoked_credential_cuts_its_streams(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], tokens: Tokens, keys: ApiKeys, path: str, kind: str
) -> None:
    endless = Endless(config, database)
    stored, key = keys.create("ada")
    token = tokens.create("ada", 60).token
    headers = {"X-Auth-Token": token} if kind == "token" else {"St2-Api-Key": str(key)}
    with endless.client.get(path, headers=headers, buffered=False) as live:
        pieces = live.iter_encoded()
        assert next(pieces)
        if kind == "token":
            tokens.revoke(token)
        else:
            keys.change(str(stored["_id"]), user="ada", metadata={}, enabled=False)
        with pytest.raises(CredentialEnded):
            list(itertools.islice(pieces, 10))
    assert endless.closed.is_set() or path == "/silent"


def test_the_public_address_of_the_api_may_read(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], auth: FlaskClient
) -> None:
    config.set_override("api_url", "https://st2.example:8443/api", group="auth")
    client = make_auth(config, database).test_client()
    origin = "https://st2.example:8443"
    assert client.get("/sso", headers={"Origin": origin}).headers["Access-Control-Allow-Origin"] == origin
    assert auth.get("/sso", headers={"Origin": origin}).headers["Access-Control-Allow-Origin"] != origin
