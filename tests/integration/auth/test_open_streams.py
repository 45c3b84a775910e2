"""How many streams a user, and all users together, may have open in one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database
from werkzeug.test import TestResponse

from st2api import application
from st2common import metrics
from st2common.auth.tokens import Tokens
from st2common.output.mongo_log import MongoOutputLog
from st2common.transport.memory import MemoryTransport
from st2stream.service import Stream
from tests.output_logs import chunk


@pytest.fixture
def stream(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], memory_transport: MemoryTransport, app: Flask
) -> Iterator[FlaskClient]:
    """Five streams, two of each user."""
    config.set_override("max_streams", 5, group="stream")
    config.set_override("max_streams_per_user", 2, group="stream")
    service = Stream(config, database, memory_transport)
    yield service.app.test_client(use_cookies=False)
    service.close()


def watched(client: FlaskClient, path: str, token: str = "") -> TestResponse:
    return client.get(path, headers={"X-Auth-Token": token} if token else {}, buffered=False)


def token_of(tokens: Tokens, user: str) -> str:
    return tokens.create(user, 600).token


def test_a_user_has_as_many_as_allowed_and_others_have_theirs(stream: FlaskClient, tokens: Tokens) -> None:
    ada, grace = token_of(tokens, "ada"), token_of(tokens, "grace")
    before = metrics.WATCHERS.labels("events")._value.get()
    with ExitStack() as opened:
        first, _ = [opened.enter_context(watched(stream, "/v1/stream", ada)) for _ in range(2)]
        for _ in range(3):
            refused = watched(stream, "/v1/stream", ada)
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
            assert "You have 2 streams open" in refused.json["faultstring"]
        assert opened.enter_context(watched(stream, "/v1/stream", grace)).status_code == 200
        first.close()
        assert opened.enter_context(watched(stream, "/v1/stream", ada)).status_code == 200
        assert watched(stream, "/v1/stream", ada).status_code == 429
    assert metrics.WATCHERS.labels("events")._value.get() == before


def test_all_together_have_as_many_as_allowed(stream: FlaskClient, tokens: Tokens) -> None:
    with ExitStack() as opened:
        for number in range(5):
            token = token_of(tokens, f"user{number}")
            assert opened.enter_context(watched(stream, "/v1/stream", token)).status_code == 200
        refused = watched(stream, "/v1/stream", token_of(tokens, "one more"))
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
        assert "This process has 5 streams open" in refused.json["faultstring"]
    assert watched(stream, "/v1/stream", token_of(tokens, "one more")).status_code == 200


def test_output_counts_and_short_answers_do_not(
    config: cfg.ConfigOpts,
    database: Database[dict[str, Any]],
    memory_transport: MemoryTransport,
    app: Flask,
    tokens: Tokens,
) -> None:
    config.set_override("max_streams_per_user", 1, group="stream")
    api = application.make_app(config, database, memory_transport)
    client, ada = api.test_client(use_cookies=False), token_of(tokens, "ada")
    asked = client.post("/v1/executions", json={"action": "core.local"}, headers={"X-Auth-Token": ada})
    # The client of the test waits for the first bytes of an answer.
    MongoOutputLog(database).append([chunk(asked.json["id"], 1, 1)])
    path = f"/v1/executions/{asked.json['id']}/stdout"
    with watched(client, path, ada) as live:
        assert live.status_code == 200
        assert watched(client, path, ada).status_code == 429
        assert watched(client, f"{path}?follow=false", ada).status_code == 200
        assert watched(client, "/v1/executions", ada).status_code == 200
    application.close(api)


def test_without_authentication_nobody_counts_for_another(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], memory_transport: MemoryTransport, app: Flask
) -> None:
    config.set_override("enable", False, group="auth")
    config.set_override("max_streams_per_user", 1, group="stream")
    service = Stream(config, database, memory_transport)
    client = service.app.test_client(use_cookies=False)
    with watched(client, "/v1/stream") as first, watched(client, "/v1/stream") as second:
        assert (first.status_code, second.status_code) == (200, 200)
    service.close()
