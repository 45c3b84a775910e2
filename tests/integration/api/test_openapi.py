"""The document that describes the API: all of it, and true."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from oslo_config import cfg

from st2api.execution_schemas import CREATE
from st2api.openapi.operations import OPERATIONS


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    response = client.get("/v1/openapi.json")
    assert (response.status_code, response.content_type) == (200, "application/json")
    found: dict[str, Any] = response.json
    return found


def _routes(app: Flask) -> set[tuple[str, str]]:
    return {
        (rule.endpoint, method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_is_in_it(app: Flask, document: dict[str, Any]) -> None:
    described = {
        (operation["operationId"], method) for path in document["paths"].values() for method, operation in path.items()
    }
    assert described == _routes(app)


def test_what_takes_a_body_says_which(document: dict[str, Any]) -> None:
    """A new route with a body has to be added to ``st2api.openapi.operations``."""
    silent = [
        operation["operationId"]
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in ("post", "put") and "requestBody" not in operation
    ]
    assert silent == []


def test_nothing_is_described_that_is_not_there(app: Flask) -> None:
    assert set(OPERATIONS) <= {endpoint for endpoint, _ in _routes(app)}


def test_an_operation(document: dict[str, Any]) -> None:
    operation = document["paths"]["/executions"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == CREATE
    assert set(operation["responses"]) == {"201", "4XX", "503"}
    raw = document["paths"]["/executions/{execution_id}/{name}"]["get"]
    assert raw["parameters"][1]["schema"] == {"enum": ["stdout", "stderr"]}
    assert document["paths"]["/actionexecutions"]["get"]["deprecated"]


@pytest.mark.parametrize(("path", "base"), [("/v1", "/v1"), ("/api/v1", "/api/v1"), ("", "/")])
def test_it_names_the_prefix_it_was_asked_with(client: FlaskClient, path: str, base: str) -> None:
    assert client.get(f"{path}/openapi.json").json["servers"] == [{"url": base}]


def test_with_authentication_it_says_how_and_stays_public(client: FlaskClient, config: cfg.ConfigOpts) -> None:
    config.set_override("enable", True, group="auth")
    document = client.get("/v1/openapi.json").json
    assert document["security"] == [{"token": []}, {"apiKey": []}]
    assert document["paths"]["/"]["get"]["security"] == []
    assert "security" not in document["paths"]["/executions"]["get"]
