"""Aliases over HTTP: changes and their events, matching, help, and running what was said."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from st2common.services import alias_texts
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Message
from st2common.transport.topology import ACTIONALIAS
from tests.conditions import eventually

RUN: dict[str, Any] = {
    "name": "run",
    "pack": "mine",
    "description": "Runs a command.",
    "action_ref": "core.local",
    "formats": [
        {"display": "run <cmd>", "representation": ["run {{cmd}}", "execute {{cmd}} please"]},
        "say {{cmd=hello}}",
    ],
    "ack": {
        "format": "*{{ execution.parameters.cmd }}* by {{ actionalias.ref }}",
        "extra": {"slack": {"color": "{{ 'red' }}"}},
    },
    "result": {"format": "{{ execution.result.stdout }}", "extra": {"x": "{{ execution.id }}"}},
}
SAID = {"user": "ann", "source_channel": "#ops"}


@pytest.fixture
def alias(client: FlaskClient) -> dict[str, Any]:
    response = client.post("/v1/actionalias", json=RUN)
    assert response.status_code == 201
    document: dict[str, Any] = response.json
    return document


def test_an_alias_is_made_changed_and_removed(client: FlaskClient, memory_transport: MemoryTransport) -> None:
    heard: list[Message] = []
    subscription = memory_transport.subscribe(heard.append, lambda: None)
    subscription.bind(ACTIONALIAS, "#")
    made = client.post("/v1/actionalias", json=RUN).json
    assert made == {
        **RUN,
        "id": made["id"],
        "uid": "action_alias:mine:run",
        "ref": "mine.run",
        "enabled": True,
        "extra": {},
        "immutable_parameters": {},
        "metadata_file": "",
    }
    assert client.post("/v1/actionalias", json=RUN).status_code == 409
    changed = client.put("/v1/actionalias/mine.run", json={**made, "enabled": False})
    assert (changed.status_code, changed.json) == (200, {**made, "enabled": False})
    assert client.get(f"/v1/actionalias/{made['id']}").json == changed.json
    assert client.delete(f"/v1/actionalias/{made['id']}").status_code == 204
    assert client.get("/v1/actionalias/mine.run").status_code == 404
    eventually(lambda: len(heard) == 3)
    assert [(message.routing_key, message.body["alias"]["enabled"]) for message in heard] == [
        ("create", True),
        ("update", False),
        ("delete", False),
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"zzz": 1}, "Additional properties are not allowed ('zzz' was unexpected)"),
        ({"formats": ["run ({{cmd}}"]}, "is no regular expression"),
        ({"formats": "run"}, "is not of type 'array'"),
        ({"action_ref": "local"}, "action_ref"),
        ({"name": None}, "'name' is a required property"),
    ],
)
def test_an_alias_that_is_not_valid(client: FlaskClient, change: dict[str, Any], text: str) -> None:
    response = client.post("/v1/actionalias", json={**RUN, **change})
    assert response.status_code == 400
    assert text in response.json["faultstring"]


def test_lists(client: FlaskClient, alias: dict[str, Any]) -> None:
    client.post("/v1/actionalias", json={**RUN, "name": "another", "pack": "other"})
    listed = client.get("/v1/actionalias?limit=1")
    assert listed.json == [alias]
    assert (listed.headers["X-Total-Count"], listed.headers["X-Limit"]) == ("2", "1")
    assert [each["ref"] for each in client.get("/v1/actionalias/?name=another").json] == ["other.another"]


def test_which_alias_a_command_is(client: FlaskClient, alias: dict[str, Any]) -> None:
    found = client.post("/v1/actionalias/match", json={"command": "execute date please"})
    assert found.json == {
        "actionalias": alias,
        "display": "run <cmd>",
        "representation": "execute {{cmd}} please",
    }
    none = client.post("/v1/actionalias/match", json={"command": "dance"})
    assert (none.status_code, none.json) == (400, {"faultstring": "Command 'dance' matched no patterns"})
    client.post("/v1/actionalias", json={**RUN, "name": "again", "formats": ["run {{cmd}}"]})
    several = client.post("/v1/actionalias/match", json={"command": "run date"})
    assert several.status_code == 400
    assert "matched more than 1 pattern" in several.json["faultstring"]


def test_help(client: FlaskClient, alias: dict[str, Any]) -> None:
    client.post("/v1/actionalias", json={**RUN, "name": "off", "enabled": False, "formats": ["off"]})
    told = client.get("/v1/actionalias/help").json
    assert told == {
        "available": 2,
        "helpstrings": [
            {"pack": "mine", "display": display, "description": "Runs a command."}
            for display in ("run <cmd>", "say {{cmd=hello}}")
        ],
    }
    assert client.get("/v1/actionalias/help?filter=RUN").json["available"] == 1
    assert client.get("/v1/actionalias/help?pack=other").json == {"available": 0, "helpstrings": []}
    assert client.get("/v1/actionalias/help?limit=1&offset=1").json["helpstrings"] == told["helpstrings"][1:]
    assert client.get("/v1/actionalias/help?filter=(").status_code == 400
    client.post("/v1/actionalias", json={**RUN, "name": "long", "formats": ["a" * 40]})
    slow = client.get("/v1/actionalias/help", query_string={"filter": "^(a|aa)+!"})
    assert (slow.status_code, "takes longer than 1 s" in slow.json["faultstring"]) == (400, True)


def test_running_what_was_said(client: FlaskClient, alias: dict[str, Any]) -> None:
    wanted = {**SAID, "name": "run", "format": "run {{cmd}}", "command": "run date -u timeout=5"}
    response = client.post(
        "/v1/aliasexecution", json={**wanted, "notification_route": "hubot", "source_context": {"t": 1}}
    )
    assert response.status_code == 201
    told = response.json
    execution = told["execution"]
    assert told == {
        "execution": execution,
        "actionalias": alias,
        "message": f"*date -u* by mine.run Details available at {execution['web_url']}",
        "extra": {"slack": {"color": "red"}},
    }
    assert execution["parameters"] == {"cmd": "date -u", "timeout": 5}
    assert execution["context"] == {
        "user": "stanley",
        "pack": "core",
        "api_user": "stanley",
        "action_alias_ref": {"id": alias["id"], "name": "run"},
        "source_channel": "#ops",
    }
    data = {"user": "ann", "source_channel": "#ops", "source_context": {"t": 1}}
    assert execution["liveaction"]["notify"] == {"on-complete": {"routes": ["hubot"], "data": data}}


def test_what_cannot_be_run(client: FlaskClient, alias: dict[str, Any]) -> None:
    wanted = {**SAID, "name": "mine.run", "format": "run {{cmd}}", "command": "run date"}
    for change, status in (
        ({"name": "nosuch"}, 404),
        ({"format": "other"}, 400),
        ({"command": "dance"}, 400),
        ({"command": "run date zzz=1"}, 400),
        ({"source_channel": None}, 400),
    ):
        assert client.post("/v1/aliasexecution", json={**wanted, **change}).status_code == status
    assert client.get("/v1/executions").json == []
    client.put("/v1/actionalias/mine.run", json={**RUN, "enabled": False})
    response = client.post("/v1/aliasexecution", json=wanted)
    assert (response.status_code, response.json["faultstring"]) == (
        400,
        'Action alias with name "mine.run" is disabled.',
    )


def test_matching_and_running_in_one_request(client: FlaskClient, alias: dict[str, Any]) -> None:
    every = {"display": "look at #<n>", "representation": ["#{{cmd}}"], "match_multiple": True}
    client.post("/v1/actionalias", json={**RUN, "name": "tickets", "formats": [every], "ack": {"enabled": False}})
    answered = client.post("/v1/aliasexecution/match_and_execute", json={**SAID, "command": "see #12 and #7"})
    assert answered.status_code == 201
    results = answered.json["results"]
    assert [each["execution"]["parameters"] for each in results] == [{"cmd": "12"}, {"cmd": "7"}]
    assert results[0].keys() == {"execution", "actionalias"}
    assert client.post("/v1/aliasexecution/match_and_execute", json={**SAID, "command": "dance"}).status_code == 400


def test_parameters_that_an_alias_fixes(client: FlaskClient) -> None:
    fixed = {**RUN, "immutable_parameters": {"timeout": 7}, "ack": {"format": "{{ nope }}", "append_url": False}}
    client.post("/v1/actionalias", json=fixed)
    wanted = {**SAID, "command": "say"}
    [told] = client.post("/v1/aliasexecution/match_and_execute", json=wanted).json["results"]
    assert told["execution"]["parameters"] == {"cmd": "hello", "timeout": 7}
    assert told["message"] == """Cannot render "format" in field "ack" for alias. 'nope' is undefined"""
    refused = client.post("/v1/aliasexecution/match_and_execute", json={**SAID, "command": "say x timeout=9"})
    assert refused.json == {"faultstring": "Override of immutable parameter(s) ['timeout'] is unsupported."}


def test_what_is_told_of_a_result(alias: dict[str, Any]) -> None:
    ended = {"id": "x", "result": {"stdout": "{{ 7 * 7 }}"}}
    assert alias_texts.result(alias, ended) == {"message": "{{ 7 * 7 }}", "extra": {"x": "x"}}
    assert alias_texts.result({"result": {"enabled": False, "format": "x"}}, ended) == {}
