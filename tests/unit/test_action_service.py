"""The requests that actions make, as an HTTP server sees them."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from st2common.runners.action_service import ActionService, ApiError

ANSWERS = {
    ("GET", "/v1/user"): (200, {"username": "stanley", "rbac": {}, "authentication": {}}),
    ("GET", "/v1/keys/examples.Mine%3Aname?scope=system&decrypt=false"): (200, {"name": "x", "value": "v"}),
    ("GET", "/v1/keys/a%2Fb?scope=system&decrypt=true"): (200, {"name": "a/b", "value": "plain"}),
    ("GET", "/v1/keys?scope=system&prefix=examples.Mine%3Ap&limit=2"): (
        200,
        [{"name": "n", "value": "1", "secret": False}],
    ),
    ("PUT", "/v1/keys/examples.Mine%3Aname"): (200, {}),
    ("DELETE", "/v1/keys/examples.Mine%3Aname?scope=system"): (204, None),
    ("GET", "/v1/keys/broken?scope=system&decrypt=false"): (500, {"faultstring": "Internal Server Error"}),
}


class Api(BaseHTTPRequestHandler):
    requests: list[tuple[str, str, str | None, Any]]

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.requests.append((self.command, self.path, self.headers.get("X-Auth-Token"), body))
        status, answer = ANSWERS.get((self.command, self.path), (404, {"faultstring": "no such key"}))
        self.send_response(status)
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def requests(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Api)
    server.requests = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("ST2_ACTION_API_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("ST2_ACTION_AUTH_TOKEN", "t0ken")
    yield server.requests
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def service():
    return ActionService("examples", "Mine")


def test_values_are_local_to_the_action_unless_told_otherwise(service, requests):
    assert service.get_value("name") == "v"
    assert service.get_value("a/b", local=False, decrypt=True) == "plain"
    assert service.datastore_service.get_value("absent") is None
    assert {token for _, _, token, _ in requests} == {"t0ken"}


def test_a_value_is_stored_as_text(service, requests):
    assert service.set_value("name", 5, ttl=30, encrypt=True) is True
    expected = {"name": "examples.Mine:name", "value": "5", "scope": "system", "ttl": 30, "secret": True}
    assert requests[-1][3] == expected


def test_deleting_tells_whether_there_was_something(service, requests):
    assert service.delete_value("name") is True
    assert service.delete_value("absent") is False


def test_lists_give_objects(service, requests):
    assert [(item.name, item.value) for item in service.list_values(prefix="p", limit=2)] == [("n", "1")]


def test_user(service, requests):
    assert service.get_user_info()["username"] == "stanley"


def test_errors_carry_the_answer_of_the_api(service, requests):
    with pytest.raises(ApiError, match="Internal Server Error"):
        service.get_value("broken", local=False)


def test_other_scopes_are_refused_before_anything_is_asked(service, requests):
    with pytest.raises(ValueError, match="user"):
        service.get_value("name", scope="user")
    assert requests == []
