"""``core.http`` against a real HTTP server, under a real keeper."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.conditions import eventually
from tests.integration.actionrunner.bench import PATIENCE, Bench


class Target:
    """Tells in its answer what it was asked; ``/slow`` does not end before the test."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.authorization: str | None = None
        self.over = threading.Event()
        target = self

        class Handler(_Handler):
            script = target

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    script: Target
    timeout = 10

    def _answer(self) -> None:
        self.script.asked.append(self.path)
        self.script.authorization = self.headers.get("Authorization")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path == "/slow":
            self.script.over.wait(PATIENCE)
        if self.path == "/large":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bytes(15 * 1024 * 1024))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"method": self.command, "path": self.path, "headers": headers, "body": body}
        payload = json.dumps(told).encode()
        status = {"/missing": 404, "/moved": 302, "/made": 201}.get(self.path, 200)
        self.send_response(status)
        if self.path == "/moved":
            self.send_header("Location", self.script.url.replace("127.0.0.1", "localhost") + "/made")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - http.server calls them so

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in http.server
        """The tests look at what was asked."""


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    target = Target()
    thread = threading.Thread(target=target.server.serve_forever, args=(0.01,))
    thread.start()
    yield target
    target.over.set()
    target.server.shutdown()
    thread.join()
    target.server.server_close()


def ask(bench: Bench, url: str, **parameters: Any) -> dict[str, Any]:
    return bench.run("", "core.http", url=url, **parameters)


def test_answers(bench: Bench, target: Target) -> None:
    bench.runner()
    ended = ask(bench, f"{target.url}/made", params={"a": "1 2"}, headers={"X-Own": "ü"}, cookies={"c": "d"})
    result = ended["result"]
    assert ended["status"] == "succeeded"
    assert result.keys() == {"status_code", "body", "parsed", "headers"}
    assert (result["status_code"], result["parsed"], result["headers"]["Content-Type"]) == (
        200,
        True,
        "application/json",
    )
    told = result["body"]
    assert (told["method"], told["path"], told["headers"]["cookie"]) == ("GET", "/made?a=1+2", "c=d")
    assert (told["headers"]["x-stanley-action"], told["headers"]["user-agent"][:5]) == ("http", "st2/v")
    assert bench.end_of_log(str(ended["_id"])).exit_code == 0

    posted = ask(bench, f"{target.url}/made", body='{"x": 1}', headers={"Content-Type": "application/json"})
    assert (posted["status"], posted["result"]["status_code"]) == ("succeeded", 201)
    assert (posted["result"]["body"]["method"], posted["result"]["body"]["body"]) == ("POST", '{"x": 1}')

    upload = ask(bench, target.url, file_name="a.csv", file_content="1;2", file_content_type="text/csv")
    told = upload["result"]["body"]
    assert 'name="a.csv"; filename="a.csv"' in told["body"]
    assert "Content-Type: text/csv" in told["body"]

    missing = ask(bench, f"{target.url}/missing")
    assert (missing["status"], missing["result"]["status_code"]) == ("failed", 404)


def test_credentials_are_sent_and_not_shown(bench: Bench, target: Target) -> None:
    bench.runner()
    ended = ask(bench, target.url, username="somebody", password="open sesame")
    sent = "Basic " + base64.b64encode(b"somebody:open sesame").decode()
    assert target.authorization == sent
    assert ended["result"]["body"]["headers"]["authorization"] == "Basic c29tZWJvZHk6********"
    assert "open sesame" not in bench.told()

    echoed = ask(bench, target.url, password="open sesame", body="it is: open sesame")
    assert echoed["result"]["body"]["body"] == "it is: ********"


def test_redirections(bench: Bench, target: Target) -> None:
    bench.runner()
    assert ask(bench, f"{target.url}/moved")["result"]["status_code"] == 302
    followed = ask(bench, f"{target.url}/moved", allow_redirects=True, cookies={"c": "d"}, password="open sesame")
    assert followed["result"]["status_code"] == 201
    # Another host gets none of what was meant for the first.
    assert not {"cookie", "authorization"} & followed["result"]["body"]["headers"].keys()
    local = ask(bench, f"{target.url.replace('127.0.0.1', 'localhost')}/made", cookies={"c": "d"})
    assert local["result"]["body"]["headers"]["cookie"] == "c=d"

    target.asked.clear()
    refused = ask(bench, f"{target.url}/moved", allow_redirects=True, url_hosts_whitelist=["127.0.0.1"])
    assert (refused["status"], "is not whitelisted" in refused["result"]["error"]) == ("failed", True)
    refused = ask(bench, target.url, url_hosts_blacklist=["::1", "127.0.0.1"])
    assert (refused["status"], "is blacklisted" in refused["result"]["error"]) == ("failed", True)
    assert target.asked == ["/moved"]


def test_no_answer(bench: Bench, target: Target) -> None:
    bench.runner()
    late = ask(bench, f"{target.url}/slow", timeout=0.5)
    assert (late["status"], late["result"]) == ("timeout", {"error": "Action failed to complete in 0.5 seconds"})
    large = ask(bench, f"{target.url}/large")
    assert (large["status"], "larger than" in large["result"]["error"]) == ("failed", True)
    target.server.socket.close()
    nobody = ask(bench, target.url.replace("127.0.0.1", "127.0.0.2"))
    assert (nobody["status"], "refused" in nobody["result"]["error"]) == ("failed", True)


def test_it_survives_a_restart_of_the_runner(bench: Bench, target: Target) -> None:
    first = bench.runner()
    execution_id = bench.request("", "core.http", url=f"{target.url}/slow")
    eventually(lambda: target.asked == ["/slow"], PATIENCE)
    bench.stop(first)
    target.over.set()
    bench.runner()
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["result"]["body"]["path"], ended["attempt"]) == ("succeeded", "/slow", 1)
    assert target.asked == ["/slow"]
