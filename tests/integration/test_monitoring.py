"""Probes and metrics over HTTP: who gets what, and what the listener of a daemon without HTTP does with its port."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2api import application
from st2api.auth.application import make_app as make_auth_app
from st2common import config as configuration
from st2common.auth.tokens import Tokens
from st2common.errors import ConfigError
from st2common.http import monitoring, probes
from st2common.models import connection
from st2common.transport.amqp import AmqpTransport
from st2common.transport.memory import MemoryTransport
from st2stream.service import Stream
from tests.servers import free_ports


@pytest.fixture
def config() -> cfg.ConfigOpts:
    options = configuration.load([], "st2api")
    options.set_override("backend_kwargs", '{"file_path": "/nowhere"}', group="auth")
    return options


@pytest.fixture(params=["st2api", "st2stream", "st2auth"])
def client(
    request: pytest.FixtureRequest,
    config: cfg.ConfigOpts,
    database: Database[dict[str, Any]],
    memory_transport: MemoryTransport,
) -> Iterator[FlaskClient]:
    if request.param == "st2auth":
        yield make_auth_app(config, database).test_client()
    elif request.param == "st2api":
        app = application.make_app(config, database, memory_transport)
        yield app.test_client()
        application.close(app)
    else:
        stream = Stream(config, database, memory_transport)
        yield stream.app.test_client()
        stream.close()


def test_probes_are_for_everybody_and_metrics_for_users(
    client: FlaskClient, database: Database[dict[str, Any]]
) -> None:
    assert client.get("/v1/healthz").json == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["ready"]) == (200, True)
    assert client.get("/v1/metrics").status_code == 401
    token = Tokens(database).create("ada", 60).token
    metrics = client.get("/v1/metrics", headers={"X-Auth-Token": token})
    assert metrics.status_code == 200
    assert metrics.content_type.startswith("text/plain")
    assert 'st2_http_requests_total{method="GET",status="401"}' in metrics.text


def test_not_ready_without_database_and_broker(config: cfg.ConfigOpts) -> None:
    [database_port, broker_port] = free_ports(2)
    away = connection.connect(f"mongodb://127.0.0.1:{database_port}", "away", connection_timeout_ms=100)
    transport = AmqpTransport(f"amqp://guest:guest@127.0.0.1:{broker_port}//")
    try:
        app = Flask("probed")
        readiness = probes.Readiness(away, transport, {"st2something": lambda: "its loop has ended"})
        app.register_blueprint(probes.blueprint(readiness))
        client = app.test_client()
        answered = client.get("/readyz")
        assert answered.status_code == 503
        assert answered.json == {
            "ready": False,
            "checks": {
                "database": "the database does not answer",
                "broker": "no connection to the message broker",
                "st2something": "its loop has ended",
            },
        }
        assert client.get("/healthz").status_code == 200
    finally:
        transport.close()
        connection.disconnect()


def test_several_processes_take_the_next_free_ports() -> None:
    app = Flask("probed")
    [port] = free_ports(1)
    first, second = (monitoring.Listener("st2actionrunner", app, "127.0.0.1", port) for _ in range(2))
    first.start()
    try:
        second.start()
        assert (first.health(), second.health()) == (None, None)
        assert port == first.port < second.port < port + monitoring.PORTS
        second.stop(0)
    finally:
        first.stop(0)


def test_an_address_of_another_host_is_refused() -> None:
    app = Flask("probed")
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):
        monitoring.Listener("st2actionrunner", app, "192.0.2.1", 65535).start()
