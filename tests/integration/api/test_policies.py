"""Policies and their types over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

FEW: dict[str, Any] = {
    "name": "few",
    "pack": "mine",
    "description": "x",
    "resource_ref": "core.local",
    "policy_type": "action.concurrency",
    "parameters": {"threshold": 1},
}


def test_a_policy_is_made_changed_and_removed(client: FlaskClient) -> None:
    made = client.post("/v1/policies", json=FEW)
    assert made.status_code == 201
    assert made.json == {
        **FEW,
        "id": made.json["id"],
        "uid": "policy:mine:few",
        "ref": "mine.few",
        "enabled": True,
        "metadata_file": "",
        "parameters": {"threshold": 1, "action": "delay"},
    }
    assert client.post("/v1/policies", json=FEW).status_code == 409
    assert client.get("/v1/policies/mine.few").json == made.json
    first = client.post("/v1/executions", json={"action": "core.local", "parameters": {"cmd": "a"}})
    second = client.post("/v1/executions", json={"action": "core.local", "parameters": {"cmd": "a"}})
    assert [first.json["status"], second.json["status"]] == ["requested", "delayed"]
    off = client.put(f"/v1/policies/{made.json['id']}", json={**made.json, "enabled": False})
    assert (off.status_code, off.json["enabled"]) == (200, False)
    third = client.post("/v1/executions", json={"action": "core.local", "parameters": {"cmd": "a"}})
    assert third.json["status"] == "requested"
    assert client.delete("/v1/policies/mine.few").status_code == 204
    for verb in (client.get, client.delete):
        assert verb("/v1/policies/mine.few").status_code == 404


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"policy_type": "action.nosuch"}, 'there is no policy type "action.nosuch"'),
        ({"parameters": {}}, "'threshold' is a required property"),
        ({"parameters": {"threshold": "1"}}, "'1' is not of type 'integer'"),
        ({"parameters": {"threshold": 1, "action": "explode"}}, "is not one of"),
        ({"parameters": {"threshold": 1, "x": 1}}, "Additional properties"),
        ({"policy_type": "action.concurrency.attr"}, "'attributes' is a required property"),
        ({"policy_type": "action.retry", "parameters": {"retry_on": "failure", "max_retry_count": 6}}, "maximum"),
        ({"zzz": 1}, "Additional properties are not allowed ('zzz' was unexpected)"),
    ],
)
def test_a_policy_that_is_not_valid(client: FlaskClient, change: dict[str, Any], text: str) -> None:
    response = client.post("/v1/policies", json={**FEW, **change})
    assert response.status_code == 400
    assert text in response.json["faultstring"]


def test_lists(client: FlaskClient) -> None:
    retry = {"policy_type": "action.retry", "parameters": {"retry_on": "timeout"}}
    client.post("/v1/policies", json=FEW)
    made = client.post("/v1/policies", json={**FEW, **retry, "name": "again", "resource_ref": "core.hello"}).json
    assert made["parameters"] == {"retry_on": "timeout", "max_retry_count": 2}
    for query, refs in (
        ("", ["mine.again", "mine.few"]),
        ("?resource_ref=core.local", ["mine.few"]),
        ("?policy_type=action.retry", ["mine.again"]),
        ("?pack=other", []),
        ("?name=few&include_attributes=ref", ["mine.few"]),
    ):
        assert [each["ref"] for each in client.get(f"/v1/policies{query}").json] == refs


def test_types(client: FlaskClient) -> None:
    listed = client.get("/v1/policytypes?resource_type=action").json
    assert [each["ref"] for each in listed] == ["action.concurrency", "action.concurrency.attr", "action.retry"]
    assert listed[0].keys() == {
        "id", "uid", "ref", "name", "description", "enabled", "module", "parameters", "resource_type",
    }  # fmt: skip
    assert listed[2]["parameters"]["max_retry_count"]["maximum"] == 5
    assert client.get("/v1/policytypes/action.retry").json == listed[2]
    assert client.get(f"/v1/policytypes/{listed[2]['id']}").json == listed[2]
    assert client.get("/v1/policytypes/action.nosuch").status_code == 404
    assert client.get("/v1/policytypes?resource_type=rule").json == []
