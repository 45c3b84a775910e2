"""``st2 rule``, ``trigger``, ``trigger-instance`` and ``rule-enforcement`` against a scripted API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from st2cli.shell import main
from tests.integration.scripted_platform import EXECUTION_ID, ScriptedPlatform

Captured = pytest.CaptureFixture[str]

RULE = {
    "id": "6b02ecc770ede5896b85ca3d",
    "ref": "mine.hook",
    "pack": "mine",
    "name": "hook",
    "enabled": True,
    "trigger": {"type": "core.st2.webhook", "parameters": {"url": "x"}, "ref": "core.5f77"},
    "criteria": {"trigger.body.a": {"type": "eq", "pattern": 1}},
    "action": {"ref": "core.local", "parameters": {"cmd": "date"}},
}
TYPE = {"id": "6b02ecd25d9c8c691f27f150", "ref": "mine.event", "pack": "mine", "description": "Something."}
TRIGGER = {"id": "6b02ecd25d9c8c691f27f151", "ref": "core.5f77", "type": "core.st2.webhook", "parameters": {"url": "x"}}
INSTANCE_ID = "6b02f23254eb5b736365f882"
INSTANCE = {
    "id": INSTANCE_ID,
    "trigger": "core.5f77",
    "occurrence_time": "2026-11-22T13:46:26.745000Z",
    "status": "processed",
    "payload": {"body": {"a": 1}},
}
ENFORCEMENT = {
    "id": "6b02f11d54eb5b736365f65e",
    "rule": {"ref": "mine.hook", "id": RULE["id"], "uid": "rule:mine:hook"},
    "trigger_instance_id": INSTANCE_ID,
    "execution_id": EXECUTION_ID,
    "enforced_at": "2026-11-22T13:46:26.845000Z",
    "status": "succeeded",
}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    with ScriptedPlatform().serving() as scripted:
        scripted.may_end.set()
        emitted = {"message": f"Trigger instance {INSTANCE_ID} successfully re-sent.", "payload": {}}
        scripted.answers = {
            ("GET", "/rules"): [(200, [RULE])],
            ("GET", "/rules/mine.hook"): [(200, RULE)],
            ("POST", "/rules"): [(201, RULE)],
            ("PUT", f"/rules/{RULE['id']}"): [(200, {**RULE, "enabled": False})],
            ("DELETE", f"/rules/{RULE['id']}"): [(204, b"")],
            ("GET", "/triggertypes"): [(200, [TYPE])],
            ("GET", "/triggertypes/mine.event"): [(200, TYPE)],
            ("GET", "/triggers"): [(200, [TRIGGER])],
            ("GET", "/triggerinstances"): [(200, [INSTANCE])],
            ("GET", f"/triggerinstances/{INSTANCE_ID}"): [(200, INSTANCE)],
            ("POST", f"/triggerinstances/{INSTANCE_ID}/re_emit"): [(200, emitted)],
            ("GET", "/ruleenforcements"): [(200, [ENFORCEMENT])],
            ("GET", f"/ruleenforcements/{ENFORCEMENT['id']}"): [(200, ENFORCEMENT)],
        }
        monkeypatch.setenv("ST2_API_URL", scripted.url)
        for name in ("ST2_AUTH_TOKEN", "ST2_API_KEY", "ST2_BASE_URL", "ST2_CONFIG_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield scripted


def test_rules(platform: ScriptedPlatform, capsys: Captured, tmp_path: Path) -> None:
    assert main(["rule", "list", "--trigger", "core.st2.webhook"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["mine.hook", "true", "core.st2.webhook", "core.local"]
    assert platform.requests[-1].query == {"limit": "100", "offset": "0", "trigger": "core.st2.webhook"}
    assert main(["rule", "get", "mine.hook"]) == 0
    assert "trigger.body.a" in capsys.readouterr().out
    assert main(["rule", "get", "mine.hook", "-j"]) == 0
    assert json.loads(capsys.readouterr().out) == RULE
    file = tmp_path / "rule.yaml"
    file.write_text("name: hook\n")
    assert main(["rule", "create", str(file)]) == 0
    assert platform.asked("POST", "/rules")[0].body == {"name": "hook"}
    assert main(["rule", "disable", "mine.hook"]) == 0
    assert platform.requests[-1].body == {**RULE, "enabled": False}
    assert main(["rule", "delete", "mine.hook"]) == 0
    assert [main(["rule", verb, "nosuch"]) for verb in ("get", "enable", "delete")] == [1, 1, 2]
    platform.answers["POST", "/rules"] = [(400, {"faultstring": "no"})]
    assert main(["rule", "create", str(file)]) == 2


def test_triggers(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["trigger", "list", "-p", "mine"]) == 0
    assert "mine.event" in capsys.readouterr().out
    assert main(["trigger", "get", "mine.event"]) == 0
    assert "Something." in capsys.readouterr().out
    assert main(["trigger", "getspecs", "--type", "core.st2.webhook"]) == 0
    assert platform.requests[-1].query == {"type": "core.st2.webhook"}
    assert '{"url": "x"}' in capsys.readouterr().out.replace("'", '"')


def test_trigger_instances(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["trigger-instance", "list", "-n", "5", "--status", "processed"]) == 0
    assert platform.requests[-1].query == {
        "limit": "5",
        "status": "processed",
        "include_attributes": "id,trigger,occurrence_time,status",
    }
    assert INSTANCE_ID in capsys.readouterr().out
    assert main(["trigger-instance", "get", INSTANCE_ID, "-j"]) == 0
    assert json.loads(capsys.readouterr().out) == INSTANCE
    assert main(["trigger-instance", "re-emit", INSTANCE_ID]) == 0
    assert capsys.readouterr().out == f"Trigger instance {INSTANCE_ID} successfully re-sent.\n"
    assert [main(["trigger-instance", verb, "nosuch"]) for verb in ("get", "re-emit")] == [1, 2]


@pytest.mark.parametrize("word", ["rule-enforcement", "trigger-enforcement"])
def test_rule_enforcements(platform: ScriptedPlatform, capsys: Captured, word: str) -> None:
    assert main([word, "list", "--rule", "mine.hook"]) == 0
    assert platform.requests[-1].query == {"limit": "50", "rule_ref": "mine.hook"}
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row[:5] == [ENFORCEMENT["id"], "mine.hook", INSTANCE_ID, EXECUTION_ID, "succeeded"]
    assert main([word, "get", str(ENFORCEMENT["id"])]) == 0
    assert "mine.hook" in capsys.readouterr().out
    assert main([word, "get", "nosuch"]) == 1
