"""What the filters of the list of executions can have as values."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

VIEW = "/v1/executions/views/filters"


@pytest.fixture
def several(client: FlaskClient) -> None:
    for body in (
        {"action": "core.local", "parameters": {"cmd": "date"}},
        {"action": "core.local", "parameters": {"cmd": "uptime"}},
        {"action": "core.hello"},
    ):
        assert client.post("/v1/executions", json=body).status_code == 201
    client.delete("/v1/executions/last")


def test_every_filter_with_its_values(client: FlaskClient, several: None) -> None:
    expected: dict[str, Any] = {
        "action": ["core.hello", "core.local"],
        "status": ["canceled", "requested"],
        "rule": [],
        "runner": ["local-shell-cmd"],
        "trigger": [],
        "trigger_type": [],
        "user": ["stanley"],
    }
    assert client.get(VIEW).json == expected
    assert client.get("/actionexecutions/views/filters/").json == expected


def test_some_filters(client: FlaskClient, several: None) -> None:
    assert client.get(f"{VIEW}?types=user, status,nosuch").json == {
        "status": ["canceled", "requested"],
        "user": ["stanley"],
    }
    assert client.get(f"{VIEW}?types=nosuch").json == {}


def test_before_the_first_execution(client: FlaskClient) -> None:
    assert set(client.get(VIEW).json) == {"action", "status", "rule", "runner", "trigger", "trigger_type", "user"}
