"""Rules, triggers, trigger instances and enforcements over HTTP, in the shapes that clients know."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2common.content import registrar
from st2common.models import actions
from st2common.models.actions import Action
from st2common.services.trigger_dispatch import dispatch_trigger
from st2common.services.triggers import save_trigger_type
from st2common.transport.memory import MemoryTransport
from st2rulesengine.engine import Engine

RULE: dict[str, Any] = {
    "name": "hook",
    "pack": "mine",
    "description": "From a hook to a command.",
    "enabled": True,
    "trigger": {"type": "core.st2.webhook", "parameters": {"url": "sample"}},
    "criteria": {"trigger.body.name": {"type": "equals", "pattern": "x"}},
    "action": {"ref": "core.local", "parameters": {"cmd": "echo {{ trigger.body.name }}", "sudo_password": "hush"}},
}


@pytest.fixture(autouse=True)
def types(database: Database[dict[str, Any]], app: Flask) -> None:
    registrar.ensure_indexes()
    for metadata in registrar.load_list(registrar.TRIGGER_TYPES):
        save_trigger_type(None, {"pack": "core", **metadata})
    secret = {"sudo_password": {"type": "string", "secret": True}, "cmd": {"type": "string"}}
    local = {"pack": "core", "name": "local", "runner_type": "local-shell-cmd", "description": "Runs a command."}
    actions.save(Action.from_metadata({**local, "parameters": secret}))


@pytest.fixture
def rule(client: FlaskClient) -> dict[str, Any]:
    response = client.post("/v1/rules", json=RULE)
    assert response.status_code == 201, response.json
    document: dict[str, Any] = response.json
    return document


def test_a_rule_is_made_changed_and_removed(client: FlaskClient, rule: dict[str, Any]) -> None:
    [trigger] = client.get("/v1/triggers?type=core.st2.webhook").json
    assert rule == {
        **RULE,
        "id": rule["id"],
        "uid": "rule:mine:hook",
        "ref": "mine.hook",
        "type": {"ref": "standard", "parameters": {}},
        "trigger": {**RULE["trigger"], "ref": trigger["ref"]},
        "action": {"ref": "core.local", "parameters": {**RULE["action"]["parameters"], "sudo_password": "********"}},
        "tags": [],
        "context": {"user": "stanley"},
        "metadata_file": "",
    }
    again = client.post("/v1/rules", json=RULE)
    assert (again.status_code, again.json["conflict-id"]) == (409, rule["id"])
    # Clients send back what they were shown; what was hidden is kept.
    changed = client.put(f"/v1/rules/{rule['id']}", json={**rule, "enabled": False})
    assert (changed.status_code, changed.json) == (200, {**rule, "enabled": False})
    shown = client.get("/v1/rules/mine.hook?show_secrets=true").json
    assert shown["action"]["parameters"]["sudo_password"] == "hush"
    moved = client.put("/v1/rules/mine.hook", json={**rule, "trigger": {**RULE["trigger"], "parameters": {"url": "y"}}})
    assert moved.json["trigger"]["parameters"] == {"url": "y"}
    assert [each["parameters"] for each in client.get("/v1/triggers?type=core.st2.webhook").json] == [{"url": "y"}]
    assert client.delete(f"/v1/rules/{rule['id']}").status_code == 204
    assert client.get("/v1/rules/mine.hook").status_code == 404
    assert client.get("/v1/triggers?type=core.st2.webhook").json == []


def test_a_rule_is_off_unless_it_says_otherwise(client: FlaskClient) -> None:
    sparse = {"name": "sparse", "trigger": {"type": "core.st2.generic.actiontrigger"}, "action": {"ref": "core.local"}}
    made = client.post("/v1/rules", json={**sparse, "criteria": None})
    assert (made.status_code, made.json["enabled"], made.json["pack"]) == (201, False, "default")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"trigger": {"type": "core.nosuch"}}, 'no trigger type "core.nosuch"'),
        ({"trigger": {"type": "core.st2.webhook"}}, "'url' is a required property"),
        ({"criteria": {"trigger.x": {"type": "Equals", "pattern": 1}}}, 'no operator "Equals"'),
        ({"criteria": {"trigger.x": {"type": "exists"}}}, "a pattern is missing"),
        ({"criteria": {"trigger.[": {"type": "eq", "pattern": 1}}}, "is no path"),
        ({"zzz": 1}, "Additional properties are not allowed ('zzz' was unexpected)"),
        ({"type": {"ref": "nosuch"}}, "'nosuch' is not one of"),
        ({"action": {"parameters": {}}}, "'ref' is a required property"),
        ({"name": None}, "'name' is a required property"),
    ],
)
def test_a_rule_that_is_not_valid(client: FlaskClient, change: dict[str, Any], text: str) -> None:
    response = client.post("/v1/rules", json={**RULE, **change})
    assert response.status_code == 400
    assert text in response.json["faultstring"]
    assert client.get("/v1/triggers?type=core.st2.webhook").json == []


def test_lists_and_views(client: FlaskClient, rule: dict[str, Any]) -> None:
    client.post("/v1/rules", json={**RULE, "name": "off", "pack": "other", "enabled": False})
    listed = client.get("/v1/rules/")
    assert [each["ref"] for each in listed.json] == ["mine.hook", "other.off"]
    assert (listed.headers["X-Total-Count"], "X-Limit" in listed.headers) == ("2", False)
    for query, refs in {
        "pack=other": ["other.off"],
        "name=hook": ["mine.hook"],
        "enabled=false": ["other.off"],
        "action=core.local&limit=1": ["mine.hook"],
        "action=core.nosuch": [],
        f"trigger={rule['trigger']['ref']}": ["mine.hook", "other.off"],
        "trigger=core.st2.webhook": ["mine.hook", "other.off"],
        "include_attributes=trigger.ref,enabled&name=off": ["other.off"],
    }.items():
        assert [each["ref"] for each in client.get(f"/v1/rules?{query}").json] == refs, query
    [view] = client.get("/v1/rules/views?name=hook").json
    assert view["action"]["description"] == "Runs a command."
    assert view["trigger"]["description"] == "Fires with each request to the webhook that has this url."
    assert client.get("/v1/rules/views/mine.hook").json == view
    assert [each["name"] for each in client.get("/v1/ruletypes").json] == ["standard", "backstop"]
    assert client.get("/v1/ruletypes/backstop").json["enabled"] is True
    missing = client.get("/v1/rules/core.nosuch")
    assert (missing.status_code, missing.json) == (
        404,
        {"faultstring": 'Resource with a reference or id "core.nosuch" not found'},
    )


def test_trigger_types_and_triggers(client: FlaskClient) -> None:
    made = client.post("/v1/triggertypes", json={"name": "event", "pack": "mine", "payload_schema": {"type": "object"}})
    assert made.status_code == 201
    assert made.json == {
        "id": made.json["id"],
        "uid": "trigger_type:mine:event",
        "ref": "mine.event",
        "name": "event",
        "pack": "mine",
        "payload_schema": {"type": "object"},
        "parameters_schema": {},
        "tags": [],
    }
    assert client.put("/v1/triggertypes/mine.event", json={**made.json, "description": "x"}).status_code == 200
    assert client.get("/v1/triggertypes/?pack=mine").json == [{**made.json, "description": "x"}]
    assert len(client.get("/v1/triggertypes?limit=5").json) == 5
    own = client.get("/v1/triggers/mine.event").json
    assert own["parameters"] == {}
    hook = client.post("/v1/triggers", json={"type": "core.st2.webhook", "parameters": {"url": "x"}})
    assert hook.status_code == 201
    changed = client.put(f"/v1/triggers/{hook.json['id']}", json={**hook.json, "parameters": {"url": "z"}})
    assert changed.json["parameters"] == {"url": "z"}
    assert client.delete(f"/v1/triggers/{hook.json['id']}").status_code == 204
    assert client.delete("/v1/triggertypes/mine.event").status_code == 204
    assert client.get(f"/v1/triggers/{own['id']}").status_code == 404


def test_events_and_what_came_of_them(
    client: FlaskClient,
    rule: dict[str, Any],
    config: cfg.ConfigOpts,
    database: Database[dict[str, Any]],
    memory_transport: MemoryTransport,
) -> None:
    payloads = [{"body": {"name": name}} for name in ("x", "y")]
    ids = [
        str(dispatch_trigger(database, memory_transport, trigger=rule["trigger"]["ref"], payload=payload)["_id"])
        for payload in payloads
    ]
    Engine(config, database, memory_transport).process(ids)
    listed = client.get("/v1/triggerinstances")
    assert (listed.headers["X-Total-Count"], [each["id"] for each in listed.json]) == ("2", ids[::-1])
    assert listed.json[1] == {
        "id": ids[0],
        "trigger": rule["trigger"]["ref"],
        "occurrence_time": listed.json[1]["occurrence_time"],
        "status": "processed",
        "payload": payloads[0],
    }
    assert client.get(f"/v1/triggerinstances/{ids[0]}").json == listed.json[1]
    for query, count in {
        f"trigger={rule['trigger']['ref']}": 2,
        "trigger_type=core.st2.webhook&status=processed": 2,
        "status=pending": 0,
        f"timestamp_gt={listed.json[1]['occurrence_time']}": 1,
        f"timestamp_lt={listed.json[1]['occurrence_time']}": 0,
        "limit=1": 1,
    }.items():
        assert len(client.get(f"/v1/triggerinstances?{query}").json) == count, query
    [enforcement] = client.get("/v1/ruleenforcements").json
    assert (enforcement["trigger_instance_id"], enforcement["status"]) == (ids[0], "succeeded")
    for query, count in {
        "rule_ref=mine.hook": 1,
        f"rule_id={rule['id']}": 1,
        f"execution={enforcement['execution_id']}": 1,
        f"trigger_instance={ids[1]}": 0,
        f"enforced_at_gt={enforcement['enforced_at']}": 0,
        f"enforced_at_lt={enforcement['enforced_at']}": 0,
    }.items():
        assert len(client.get(f"/v1/ruleenforcements?{query}").json) == count, query
    [view] = client.get("/v1/ruleenforcements/views").json
    assert view["trigger_instance"] == listed.json[1]
    assert view["execution"]["parameters"] == {"cmd": "echo x", "sudo_password": "********"}
    assert client.get(f"/v1/ruleenforcements/views/{enforcement['id']}").json == view
    assert client.get(f"/v1/ruleenforcements/{enforcement['id']}").json == enforcement
    again = client.post(f"/v1/triggerinstances/{ids[0]}/re_emit", data="null", content_type="application/json")
    assert again.status_code == 200
    assert again.json["payload"] == {**payloads[0], "__context": {"original_id": ids[0]}}
    for missing in ("triggerinstances/nosuch", "ruleenforcements/nosuch", "ruleenforcements/views/nosuch"):
        assert client.get(f"/v1/{missing}").status_code == 404
    assert client.post("/v1/triggerinstances/nosuch/re_emit").status_code == 404


def test_changes_of_keys_are_events_if_a_rule_wants_them(
    client: FlaskClient, database: Database[dict[str, Any]]
) -> None:
    client.put("/v1/keys/before", json={"value": "1"})
    for name in ("create", "update", "value_change", "delete"):
        trigger = {"type": f"core.st2.key_value_pair.{name}"}
        watch = {**RULE, "name": name, "trigger": trigger, "criteria": {}, "action": {"ref": "core.local"}}
        assert client.post("/v1/rules", json=watch).status_code == 201
    client.put("/v1/keys/k", json={"value": "1"})
    client.put("/v1/keys/k", json={"value": "1"})
    client.put("/v1/keys/k", json={"value": "2"})
    client.delete("/v1/keys/k")
    assert client.delete("/v1/keys/nosuch").status_code == 404
    found = list(database["trigger_instance_d_b"].find().sort("occurrence_time"))
    told = sorted(each["trigger"].rpartition(".")[2] for each in found)
    assert told == ["create", "delete", "update", "update", "value_change"]
    payloads = {each["trigger"].rpartition(".")[2]: each["payload"] for each in found}
    assert (payloads["create"]["object"]["name"], payloads["create"]["object"]["value"]) == ("k", "1")
    changed = payloads["value_change"]
    assert (changed["old_object"]["value"], changed["new_object"]["value"]) == ("1", "2")
