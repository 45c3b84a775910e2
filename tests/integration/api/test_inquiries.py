"""Inquiries over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from pymongo.database import Database

from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.services.executions import request_execution
from st2common.transport.memory import MemoryTransport
from tests.integration.api.conftest import LOCAL_RUNNER

SCHEMA = {"type": "object", "properties": {"word": {"type": "string", "secret": True, "required": True}}}
ASKED = {"schema": SCHEMA, "users": [], "roles": ["ops"], "route": "door", "ttl": 5}


@pytest.fixture
def pending(client: FlaskClient, database: Database[dict[str, Any]], memory_transport: MemoryTransport) -> list[str]:
    """Ids of three inquiries, the oldest first, as a runner leaves them."""
    from st2common.models import actions, runner_types
    from st2common.models.actions import Action
    from st2common.models.runner_types import RunnerType

    runner_types.save(RunnerType.from_metadata({**LOCAL_RUNNER, "name": "inquirer", "runner_parameters": {}}))
    actions.save(Action.from_metadata({"pack": "core", "name": "ask", "runner_type": "inquirer"}))
    executions, ids = Executions(database), []
    for _ in range(3):
        stored = request_execution(database, memory_transport, action_ref="core.ask", parameters={}, user="stanley")
        execution_id = str(stored["_id"])
        executions.claim(execution_id, "runner-1", 0, {})
        executions.change(execution_id, Status.PENDING, attempt=1, fields={"result": ASKED})
        ids.append(execution_id)
    return ids


def test_what_waits(client: FlaskClient, pending: list[str], started: dict[str, Any]) -> None:
    response = client.get("/v1/inquiries")
    assert [inquiry["id"] for inquiry in response.json] == pending[::-1]
    assert response.json[0] == {"id": pending[2], **ASKED}
    assert (response.headers["X-Total-Count"], response.headers["X-Limit"]) == ("3", "20")
    assert [inquiry["id"] for inquiry in client.get("/v1/inquiries/?limit=1&offset=1").json] == [pending[1]]
    assert client.get(f"/v1/inquiries/{pending[0]}").json == {"id": pending[0], **ASKED}
    assert client.get(f"/v1/inquiries/{pending[0]}?include_attributes=ttl").json == {"id": pending[0], "ttl": 5}


def test_an_answer(client: FlaskClient, pending: list[str]) -> None:
    path = f"/v1/inquiries/{pending[0]}"
    answer = {"id": pending[0], "response": {"word": "sesame"}}
    response = client.put(path, json=answer)
    assert (response.status_code, response.json) == (200, {"id": pending[0], "response": {"word": "********"}})
    execution = client.get(f"/v1/executions/{pending[0]}").json
    assert (execution["status"], execution["result"]["response"]) == ("succeeded", {"word": "********"})
    assert client.get(f"/v1/executions/{pending[0]}/attribute/result").json["response"] == {"word": "********"}
    assert client.get(f"/v1/executions/{pending[0]}?show_secrets=true").json["result"]["response"]["word"] == "sesame"
    # The log has its end: whoever watches it is told.
    assert client.get(f"/v1/executions/{pending[0]}/stdout").data == b""
    for again in (client.put(path, json=answer), client.get(path)):
        assert (again.status_code, again.json["faultstring"]) == (
            400,
            f'Inquiry "{pending[0]}" has already been responded to.',
        )
    assert len(client.get("/v1/inquiries").json) == 2
    shown = client.put(f"/v1/inquiries/{pending[1]}?show_secrets=true", json={"response": {"word": "sesame"}})
    assert shown.json["response"] == {"word": "sesame"}


def test_cancel(client: FlaskClient, pending: list[str]) -> None:
    assert client.delete(f"/v1/executions/{pending[0]}").json["status"] == "canceled"
    assert "State = canceled" in client.get(f"/v1/inquiries/{pending[0]}").json["faultstring"]


def test_faults(
    client: FlaskClient, pending: list[str], started: dict[str, Any], database: Database[dict[str, Any]]
) -> None:
    nobody = "000000000000000000000000"
    for unknown in (nobody, "nonsense"):
        response = client.get(f"/v1/inquiries/{unknown}")
        assert (response.status_code, response.json["faultstring"]) == (
            404,
            f'Unable to identify resource with id "{unknown}".',
        )
        assert client.put(f"/v1/inquiries/{unknown}", json={"response": {}}).status_code == 404
    other = client.get(f"/v1/inquiries/{started['id']}")
    assert (other.status_code, other.json["faultstring"]) == (
        400,
        f'Action execution "{started["id"]}" is not an inquiry.',
    )
    path = f"/v1/inquiries/{pending[0]}"
    refused = client.put(path, json={"response": {}})
    assert (refused.status_code, refused.json["faultstring"]) == (
        400,
        f"Response for inquiry \"{pending[0]}\" did not pass schema validation. 'word' is a required property",
    )
    for body in ({}, {"response": 5}, {"response": None}, [], 5):
        assert client.put(path, json=body).status_code == 400
    Executions(database).collection.update_many({}, {"$set": {"result.users": ["ann"]}})
    denied = client.put(path, json={"response": {"word": "sesame"}})
    assert (denied.status_code, denied.json["faultstring"]) == (
        403,
        f'User "stanley" does not have permission to respond to inquiry "{pending[0]}".',
    )
    assert client.get("/v1/inquiries?limit=-2").status_code == 400
