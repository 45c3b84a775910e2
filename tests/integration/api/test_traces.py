"""Traces over HTTP: those that were asked for, and those that executions have by themselves."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from flask.testing import FlaskClient
from pymongo.database import Database

Documents = Database[dict[str, Any]]


def run(client: FlaskClient, trace_context: Any = None, status: int = 201) -> dict[str, Any]:
    context = {"trace_context": trace_context} if trace_context else {}
    body = {"action": "core.local", "parameters": {"cmd": "date"}, "context": context}
    response = client.post("/v1/executions", json=body)
    assert response.status_code == status
    document: dict[str, Any] = response.json
    return document


def refs(trace: dict[str, Any]) -> list[str]:
    return [item["object_id"] for item in trace["action_executions"]]


def test_an_execution_has_a_trace_by_itself_that_costs_nothing(client: FlaskClient, database: Documents) -> None:
    execution = run(client)
    assert "trace_context" not in execution["context"]
    assert database["trace_d_b"].find_one({}) is None
    trace = client.get(f"/v1/traces/{execution['id']}").json
    assert trace == {
        "id": execution["id"],
        "uid": trace["uid"],
        "trace_tag": f"execution-{execution['liveaction']['id']}",
        "start_timestamp": execution["start_timestamp"],
        "action_executions": [
            {
                "object_id": execution["id"],
                "ref": "core.local",
                "updated_at": execution["start_timestamp"],
                "caused_by": {},
            }
        ],
        "rules": [],
        "trigger_instances": [],
    }
    for query in (f"execution={execution['id']}", f"trace_tag={trace['trace_tag']}"):
        found = client.get(f"/v1/traces?{query}")
        assert (found.json, found.headers["X-Total-Count"]) == ([trace], "1")
    for query in (f"execution={ObjectId()}", "trace_tag=execution-x", f"rule={ObjectId()}", "trigger_instance=x"):
        assert client.get(f"/v1/traces?{query}").json == []


def test_what_executions_start_is_in_their_trace(client: FlaskClient, database: Documents) -> None:
    parent, child, grandchild = (run(client)["id"] for _ in range(3))
    for identity, above in ((child, parent), (grandchild, child)):
        database["action_execution_d_b"].update_one({"_id": ObjectId(identity)}, {"$set": {"parent": above}})
    trace = client.get(f"/v1/traces/{parent}").json
    assert refs(trace) == [parent, child, grandchild]
    assert trace["action_executions"][1]["caused_by"] == {"type": "action_execution", "id": parent}
    assert [each["id"] for each in client.get("/v1/traces").json] == [parent]


def test_a_trace_with_a_name(client: FlaskClient) -> None:
    first = run(client, {"trace_tag": "release"})
    assert first["context"]["trace_context"] == {"trace_tag": "release"}
    [trace] = client.get("/v1/traces?trace_tag=release").json
    assert (trace["trace_tag"], refs(trace)) == ("release", [first["id"]])
    second = run(client, {"id_": trace["id"]})
    assert refs(client.get(f"/v1/traces/{trace['id']}").json) == [first["id"], second["id"]]
    assert [each["id"] for each in client.get(f"/v1/traces?execution={second['id']}").json] == [trace["id"]]


def test_what_repeats_an_execution_joins_its_trace(client: FlaskClient) -> None:
    first = run(client)
    again = client.post(f"/v1/executions/{first['id']}/re_run", json={}).json
    assert again["context"]["trace_context"] == {"id_": first["id"]}
    third = client.post(f"/v1/executions/{again['id']}/re_run", json={}).json
    [trace] = client.get("/v1/traces").json
    assert refs(trace) == [first["id"], again["id"], third["id"]]
    assert trace["trace_tag"] == f"execution-{first['liveaction']['id']}"


def test_lists(client: FlaskClient) -> None:
    executions = [run(client, context) for context in (None, {"trace_tag": "a"}, None, {"trace_tag": "b"})]
    ids = [execution["id"] for execution in executions]
    client.post(f"/v1/executions/{ids[2]}/re_run", json={})
    listed = client.get("/v1/traces")
    assert [each["id"] for each in listed.json] == ids[::-1]
    assert (listed.headers["X-Total-Count"], listed.headers["X-Limit"]) == ("4", "100")
    page = client.get("/v1/traces?sort_asc=True&limit=2&offset=1&include_attributes=trace_tag")
    assert [each["id"] for each in page.json] == ids[1:3]
    assert page.json[0].keys() == {"id", "trace_tag"}


def test_traces_that_are_not_there(client: FlaskClient, database: Documents) -> None:
    for unknown in (str(ObjectId()), "x"):
        response = client.get(f"/v1/traces/{unknown}")
        assert (response.status_code, response.json["faultstring"]) == (
            404,
            f'Unable to identify resource with id "{unknown}".',
        )
        fault = run(client, {"id_": unknown}, status=400)
        assert fault == {"faultstring": f'Trace with id "{unknown}" is not found.'}
    for other in ("x", {"trace_tag": ""}, {"trace_tag": 5}, {"zzz": 1}):
        run(client, other, status=400)
    assert database["action_execution_d_b"].find_one({}) is None
