"""Rules, trigger types, events and enforcements, through the official client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conditions import eventually
from tests.official.client import Client

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
