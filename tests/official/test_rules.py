"""Rules, trigger types, events and enforcements, through the official client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.platforms import Platform
from tests.conditions import eventually
from tests.official.client import TIMEOUT, Client

pytestmark = pytest.mark.full

TRIGGER = {"type": "core.st2.generic.actiontrigger"}
RULE: dict[str, Any] = {
    "name": "after",
    "pack": "default",
    "description": "Follows one execution",
    "enabled": True,
    "trigger": TRIGGER,
    "criteria": {
        "trigger.action_ref": {"type": "equals", "pattern": "core.local"},
        "trigger.parameters.cmd": {"type": "startswith", "pattern": "echo followed"},
    },
    "action": {"ref": "core.echo", "parameters": {"message": "after {{ trigger.execution_id }}"}},
}


def test_a_rule_from_its_file_to_its_execution(st2: Client, tmp_path: Path) -> None:
    file = tmp_path / "rule.json"
    file.write_text(json.dumps(RULE))
    created = st2("rule", "create", str(file), "-j").json()
    assert (created["ref"], created["uid"]) == ("default.after", "rule:default:after")
    assert st2("rule", "create", str(file), code=2).out.startswith("ERROR: 409 Client Error: Conflict")
    assert "default.after" in [each["ref"] for each in st2("rule", "list", "-j").json()]
    assert "core.st2.generic.actiontrigger" in st2("rule", "list", "--iftt").out
    assert st2("rule", "get", "default.after", "-j").json()["criteria"] == RULE["criteria"]
    followed = st2.ran("core.local", "cmd=echo followed")
    enforcement = eventually(lambda: _enforcement(st2), timeout=30)
    shown = st2("rule-enforcement", "get", enforcement["id"], "-j").json()
    assert (shown["rule"]["ref"], shown["execution_id"]) == ("default.after", enforcement["execution_id"])
    st2("execution", "tail", enforcement["execution_id"])
    assert st2.execution(enforcement["execution_id"])["result"]["stdout"] == f"after {followed['id']}"
    _events(st2, enforcement["trigger_instance_id"])
    assert st2("rule", "disable", "default.after", "-j").json()["enabled"] is False
    assert st2("rule", "enable", "default.after", "-j").json()["enabled"] is True
    file.write_text(json.dumps({**RULE, "description": "Another", "id": created["id"]}))
    assert st2("rule", "update", "default.after", str(file), "-j").json()["description"] == "Another"
    assert "successfully deleted" in st2("rule", "delete", "default.after").out
    assert st2("rule", "get", "default.after", code=1)


def _enforcement(st2: Client) -> dict[str, Any] | None:
    done = st2("rule-enforcement", "list", "--rule", "default.after", "-j")
    found: list[dict[str, Any]] = done.json() if "[" in done.out else []
    return found[0] if found else None


def _events(st2: Client, instance_id: str) -> None:
    listed = st2("trigger-instance", "list", "--trigger", "core.st2.generic.actiontrigger", "-j").json()
    assert instance_id in [each["id"] for each in listed]
    assert st2("trigger-instance", "get", instance_id, "-j").json()["status"] == "processed"
    assert "successfully re-sent" in st2("trigger-instance", "re-emit", instance_id).out


def test_trigger_types(st2: Client, tmp_path: Path) -> None:
    refs = [each["ref"] for each in st2("trigger", "list", "-j").json()]
    assert {"core.st2.webhook", "core.st2.IntervalTimer", "examples.sample_trigger"} <= {*refs}
    assert "url" in st2("trigger", "get", "core.st2.webhook", "-j").json()["parameters_schema"]["properties"]
    assert "core.st2.generic.inquiry" in st2("trigger", "getspecs", "-j").out
    [own] = st2("trigger", "getspecs", "core.st2.generic.inquiry", "-j").json()
    assert own["type"] == "core.st2.generic.inquiry"
    file = tmp_path / "type.json"
    file.write_text(json.dumps({"name": "own", "pack": "default", "description": "Mine"}))
    assert st2("trigger", "create", str(file), "-j").json()["ref"] == "default.own"
    file.write_text(json.dumps({"name": "own", "pack": "default", "description": "Yours"}))
    assert st2("trigger", "update", "default.own", str(file), "-j").json()["description"] == "Yours"
    assert "successfully deleted" in st2("trigger", "delete", "default.own").out


def test_the_sample_rules(st2: Client, open_platform: Platform) -> None:
    def said(rule: str) -> list[str]:
        """What the executions of a rule have printed."""
        done = st2("rule-enforcement", "list", "--rule", f"examples.{rule}", "-j").out
        ids = [each["execution_id"] for each in json.loads(done)] if done.startswith("[") else []
        return [str(st2.execution(each).get("result", {}).get("stdout")) for each in ids]

    hook = f"{open_platform.urls['ST2_API_URL']}/webhooks/sample"
    assert requests.post(hook, json={"name": "world"}, timeout=TIMEOUT).status_code == 202
    eventually(lambda: said("webhook_to_action") == ["Hello world"], timeout=30)
    for rule in ("execution_to_action", "key_to_action"):
        st2("rule", "enable", f"examples.{rule}")
    for value in ("1", "2"):
        st2("key", "set", "examples.level", value)
    eventually(lambda: said("key_to_action") == ["examples.level: 1 -> 2"], timeout=30)
    ran = st2.ran("examples.progress", "steps=1", "delay=0")
    expected = f"examples.progress {ran['status']}: st2 execution get {ran['id']}"
    eventually(lambda: said("execution_to_action") == [expected], timeout=30)
    for rule in ("execution_to_action", "key_to_action"):
        st2("rule", "disable", f"examples.{rule}")


def test_a_trigger_that_is_injected(st2: Client) -> None:
    ran = st2.ran("core.inject_trigger", "trigger=examples.sample_trigger", 'payload={"value": "x"}', "trace_tag=mine")
    assert ran["result"]["result"] == {"trigger": "examples.sample_trigger", "payload": {"value": "x"}}
    [event] = st2("trigger-instance", "list", "--trigger", "examples.sample_trigger", "-j").json()
    assert st2("trigger-instance", "get", event["id"], "-j").json()["payload"] == {"value": "x"}
    refused = st2.ran("core.inject_trigger", "trigger=examples.sample_trigger", "payload={}", code=1)
    assert "'value' is a required property" in refused["result"]["result"]["error"]
