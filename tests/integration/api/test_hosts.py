"""A web page that has its own name resolved to this host reads and starts nothing."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2api import application
from st2common.http.hosts import KnownHosts
from st2common.transport.memory import MemoryTransport


@pytest.fixture
def known(config: cfg.ConfigOpts) -> KnownHosts:
    config.set_override("webui_base_url", "https://St2.Example.com/ui", group="webui")
    config.set_override("allow_origin", ["http://dashboard.example:3000"], group="api")
    return KnownHosts(config)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:9101",
        "localhost.:9101",
        "demo.localhost:9101",
        "127.0.0.1:9101",
        "127.8.9.10",
        "[::1]:9101",
        "st2.example.com",
        "dashboard.example:8080",
    ],
)
def test_loopback_and_configured_names_are_known(known: KnownHosts, host: str) -> None:
    assert known.knows(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9101",
        "10.0.0.1",
        "localhost.evil.example",
        "notlocalhost",
        "[::1",
        "",
        "127.0.0.1@evil",
    ],
)
def test_others_are_not(known: KnownHosts, host: str) -> None:
    assert not known.knows(host)


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/v1/executions"), ("POST", "/v1/executions")])
def test_a_request_under_another_name_is_refused(client: FlaskClient, method: str, path: str) -> None:
    body = {"action": "core.local", "parameters": {"cmd": "date"}} if method == "POST" else None
    response = client.open(f"http://evil.example:9101{path}", method=method, json=body)
    assert response.status_code == 403
    assert '"evil.example:9101" is no name of this service' in response.json["faultstring"]
    assert client.get("/v1/executions").json == []


def test_with_authentication_every_name_will_do(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], memory_transport: MemoryTransport
) -> None:
    config.set_override("enable", True, group="auth")
    app = application.make_app(config, database, memory_transport)
    response = app.test_client().get("http://st2.example/v1/executions")
    application.close(app)
    assert response.status_code == 401
