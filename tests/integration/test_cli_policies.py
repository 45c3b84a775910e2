"""``st2 policy``, ``policy-type``, ``action-alias`` and ``trace`` against a scripted API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from st2cli.shell import main
from tests.integration.scripted_platform import EXECUTION_ID, ScriptedPlatform, execution

Captured = pytest.CaptureFixture[str]

POLICY = {
    "id": "6b02ecc770ede5896b85ca43",
    "ref": "mine.few",
    "pack": "mine",
    "name": "few",
    "enabled": True,
    "resource_ref": "core.local",
    "policy_type": "action.concurrency",
    "parameters": {"threshold": 1},
}
ALIAS = {"id": "6b02ecc770ede5896b85ca3e", "ref": "examples.lines", "pack": "examples", "enabled": True}
TRACE = {
    "id": EXECUTION_ID,
    "trace_tag": "release",
    "start_timestamp": "2026-11-22T13:46:19.072588Z",
    "action_executions": [
        {"object_id": EXECUTION_ID, "ref": "core.local", "updated_at": "2026-11-22T13:46:20.000000Z", "caused_by": {}}
    ],
    "rules": [],
    "trigger_instances": [
        {"object_id": "0" * 24, "ref": "core.x", "updated_at": "2026-11-22T13:46:19.000000Z", "caused_by": {}}
    ],
}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    with ScriptedPlatform().serving() as scripted:
        scripted.may_end.set()
        scripted.answers = {
            ("GET", "/policies"): [(200, [POLICY])],
            ("GET", "/policies/mine.few"): [(200, POLICY)],
            ("POST", "/policies"): [(201, POLICY)],
            ("PUT", f"/policies/{POLICY['id']}"): [(200, {**POLICY, "enabled": False})],
            ("DELETE", f"/policies/{POLICY['id']}"): [(204, b"")],
            ("GET", "/policytypes"): [(200, [{"ref": "action.retry", "resource_type": "action", "enabled": True}])],
            ("GET", "/actionalias"): [(200, [ALIAS])],
            ("POST", "/actionalias/match"): [
                (200, {"actionalias": ALIAS, "display": "print", "representation": "print {{x}}"})
            ],
            ("POST", "/aliasexecution"): [
                (201, {"execution": execution(), "actionalias": ALIAS, "message": "Hold on."})
            ],
            ("GET", f"/executions/{EXECUTION_ID}"): [(200, execution())],
            ("GET", "/traces"): [(200, [TRACE])],
            ("GET", f"/traces/{EXECUTION_ID}"): [(200, TRACE)],
        }
        monkeypatch.setenv("ST2_API_URL", scripted.url)
        for name in ("ST2_AUTH_TOKEN", "ST2_API_KEY", "ST2_BASE_URL", "ST2_CONFIG_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield scripted


def test_policies(platform: ScriptedPlatform, capsys: Captured, tmp_path: Path) -> None:
    assert main(["policy", "list", "--resource-ref", "core.local"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["mine.few", "core.local", "action.concurrency", "true"]
    assert platform.requests[-1].query == {"limit": "100", "offset": "0", "resource_ref": "core.local"}
    assert main(["policy", "get", "mine.few", "-j"]) == 0
    assert json.loads(capsys.readouterr().out) == POLICY
    file = tmp_path / "policy.yaml"
    file.write_text("name: few\n")
    assert main(["policy", "create", str(file)]) == 0
    assert platform.asked("POST", "/policies")[0].body == {"name": "few"}
    assert main(["policy", "disable", "mine.few"]) == 0
    assert platform.requests[-1].body == {**POLICY, "enabled": False}
    assert main(["policy", "delete", "mine.few"]) == 0
    assert [main(["policy", verb, "nosuch"]) for verb in ("get", "enable", "delete")] == [1, 1, 2]
    assert 'Policy "nosuch" is not found.' in capsys.readouterr().err
    platform.answers["POST", "/policies"] = [(400, {"faultstring": "no"})]
    assert main(["policy", "create", str(file)]) == 2


def test_policy_types(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["policy-type", "list"]) == 0
    assert "action.retry" in capsys.readouterr().out


def test_aliases(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["action-alias", "list", "-p", "examples"]) == 0
    assert "examples.lines" in capsys.readouterr().out
    assert main(["action-alias", "match", "print 5"]) == 0
    assert "print {{x}}" in capsys.readouterr().out
    assert main(["action-alias", "execute", "-k", "stdout", "print 5"]) == 0
    assert capsys.readouterr() == ("hello\nworld\n", "Hold on.\n")
    assert platform.asked("POST", "/aliasexecution")[0].body == {
        "name": "examples.lines",
        "format": "print {{x}}",
        "command": "print 5",
        "user": "",
        "source_channel": "cli",
    }


def test_traces(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["trace", "list", "-n", "1", "--trace-tag", "release", "-s", "asc"]) == 0
    assert platform.requests[-1].query == {"limit": "1", "sort_asc": "True", "trace_tag": "release"}
    assert "release" in capsys.readouterr().out
    assert main(["trace", "get", EXECUTION_ID]) == 0
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert [row.split()[1] for row in rows] == ["trigger-instance", "execution"]
    assert main(["trace", "get", "x"]) == 1
