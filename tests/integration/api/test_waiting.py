"""The field ``waiting``: what the database tells about it, and where it is shown."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from pymongo.database import Database

from st2common.models import leases, policies
from st2common.models.executions import Executions
from st2common.models.policies import Policy
from st2common.models.statuses import Status

Documents = Database[dict[str, Any]]

RUNNER = leases.RUNNERS + "host1/1"


def _start(client: FlaskClient, **more: Any) -> str:
    response = client.post("/v1/executions", json={"action": "core.local", "parameters": {"cmd": "date"}, **more})
    assert response.status_code == 201
    assert "waiting" not in response.json
    return str(response.json["id"])


def _waiting(client: FlaskClient, execution_id: str) -> str | None:
    answer: str | None = client.get(f"/v1/executions/{execution_id}").json.get("waiting")
    return answer


def test_for_a_runner(client: FlaskClient, database: Documents) -> None:
    _start(client)
    second = _start(client)
    assert _waiting(client, second) == "Waits for an action runner: none is alive."
    leases.Lease(database, RUNNER, "host1/1", -1).acquire()
    assert _waiting(client, second) == "Waits for an action runner: none is alive."
    leases.Lease(database, RUNNER, "host1/1", 60).acquire()
    assert _waiting(client, second) == "Waits for a free place on the action runner: 1 execution is before it."
    assert _waiting(client, "last") == _waiting(client, second)


def test_for_its_delay_and_for_the_collector(client: FlaskClient, database: Documents) -> None:
    delayed = _waiting(client, _start(client, delay=3_600_000)) or ""
    assert delayed.startswith("Its delay lasts until 20")
    assert delayed.endswith(" No garbage collector is alive, without which it does not go on.")
    leases.Lease(database, leases.COLLECTOR, "host1", 60).acquire()
    assert "garbage collector" not in (_waiting(client, "last") or "")


def test_for_a_slot_of_a_policy(client: FlaskClient, database: Documents) -> None:
    leases.Lease(database, leases.COLLECTOR, "host1", 60).acquire()
    metadata = {"pack": "core", "name": "one", "resource_ref": "core.local", "policy_type": "action.concurrency"}
    policies.save(Policy.from_metadata({**metadata, "parameters": {"threshold": 1, "action": "delay"}}))
    first, _second, third = _start(client), _start(client), _start(client)
    assert _waiting(client, third) == (
        'Delayed by policy "core.one": at most 1 of "core.local" may run at once. '
        f"Waits for the end of {first}: 1 execution is before it."
    )


def test_what_runs_or_has_ended_does_not_wait(client: FlaskClient, database: Documents) -> None:
    execution_id, executions = _start(client), Executions(database)
    executions.claim(execution_id, "host1/1", 2**62, {})
    assert _waiting(client, execution_id) is None
    executions.change(execution_id, Status.SUCCEEDED, attempt=1)
    assert _waiting(client, execution_id) is None


def test_only_one_execution_by_itself_has_the_field(client: FlaskClient, started: dict[str, Any]) -> None:
    path = f"/v1/executions/{started['id']}"
    assert set(client.get(f"{path}?include_attributes=waiting").json) == {"id", "waiting"}
    assert "waiting" not in client.get(f"{path}?include_attributes=status").json
    assert "waiting" not in client.get(f"{path}?exclude_attributes=waiting").json
    assert "waiting" not in client.get("/v1/executions").json[0]
    assert client.get("/v1/executions?include_attributes=waiting").status_code == 400
