"""An index is fetched from where the administrator said, and nobody is led to anywhere else."""

from __future__ import annotations

import ast
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from st2common.content import guarded_fetch, pack_index

ROOT = Path(__file__).parents[3]
INDEX = {"packs": {"demo": {"name": "demo"}}}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, _, target = self.path.partition("?to=")
        self.send_response(302 if target else 200)
        if target:
            self.send_header("Location", target)
        self.end_headers()
        self.wfile.write(b"" if target else json.dumps(INDEX).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def read(url: str) -> tuple[dict[str, Any], str]:
    """Packs, and what is said of the index."""
    found = pack_index.fetch([url])
    return dict(found.packs), found.status[0]["message"]


def test_an_index_in_a_private_network_is_the_administrators_choice(server: str) -> None:
    assert read(f"{server}/index.json") == (INDEX["packs"], "Success.")
    assert read(f"{server}/?to={server}/index.json") == (INDEX["packs"], "Success.")


def test_files(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps(INDEX))
    assert read((tmp_path / "index.json").as_uri()) == (INDEX["packs"], "Success.")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data", "link-local"),
        ("http://[fe80::1]/", "link-local"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("http://0.0.0.0/", "link-local address or none of a host"),
        ("http://10.0.0.1/", "not a public address"),
        ("http://[fd00:ec2::254]/", "not a public address"),
        ("http://localhost:1/", "not a public address"),
        ("http://2130706433/", "not a public address"),
        ("https://100.100.100.200/", "not a public address"),
        ("ftp://127.0.0.1/", "ftp"),
        ("file:///etc/hostname", "file"),
    ],
)
def test_a_redirect_leads_to_public_addresses_only(server: str, target: str, reason: str) -> None:
    packs, message = read(f"{server}/?to={target}")
    assert packs == {}
    assert reason in message


@pytest.mark.parametrize("address", ["http://169.254.169.254/", "http://[fe80::1]/index.json"])
def test_clouds_keep_their_secrets_from_a_configured_address_too(address: str) -> None:
    assert "link-local" in read(address)[1]


def test_a_name_is_looked_up_once(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means something else the second time would lead there."""
    look_up, asked = socket.getaddrinfo, []

    def changing(host: str, *given: Any, **more: Any) -> Any:
        if host == "index.example.com":
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return look_up(host, *given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    named = server.replace("127.0.0.1", "index.example.com")
    assert read(named) == (INDEX["packs"], "Success.")
    assert asked == ["index.example.com"]


#: What fetches in Python, and where that is meant to be. The action runner does so in children of its keeper.
_CLIENTS = {"urllib.request", "http.client", "requests", "urllib3", "httpx", "aiohttp", "smtplib", "ftplib"}
_MAY = {
    "st2common/content/guarded_fetch.py",
    "st2common/content/pack_index.py",  # through the former
    "st2common/runners/action_service.py",  # in a child of the runner, to the API itself
}


def test_nothing_else_in_the_services_fetches() -> None:
    found = set()
    for package in ("st2api", "st2stream", "st2common", "st2rulesengine", "st2garbagecollector", "st2reactor"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
                if any(name == client or name.startswith(f"{client}.") for name in names for client in _CLIENTS):
                    found.add(str(path.relative_to(ROOT)))
    assert found <= _MAY
    assert guarded_fetch.__name__.replace(".", "/") + ".py" in found
