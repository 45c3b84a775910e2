"""``st2 role`` and ``st2 role-assignment``: what they ask for, and what they show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from st2cli.shell import main
from tests.integration.scripted_platform import ScriptedPlatform

ROLE = {
    "id": "6b02ecc770ede5896b85ca01",
    "name": "operator",
    "description": "Runs things.",
    "system": False,
    "permission_grant_ids": ["6b02ecc770ede5896b85ca02"],
    "permission_grant_objects": [
        {"resource_uid": "pack:core", "resource_type": "pack", "permission_types": ["action_execute"]}
    ],
}
ASSIGNMENT = {
    "id": "6b02ecc770ede5896b85ca03",
    "user": "ada",
    "role": "operator",
    "description": "",
    "is_remote": False,
    "source": "assignments/ada.yaml",
}


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedPlatform]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ST2_AUTH_TOKEN", "ST2_API_KEY", "ST2_BASE_URL", "ST2_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    script = ScriptedPlatform(
        {
            ("GET", "/rbac/roles"): [(200, [ROLE])],
            ("GET", "/rbac/roles/operator"): [(200, ROLE)],
            ("GET", "/rbac/role_assignments"): [(200, [ASSIGNMENT])],
            ("GET", f"/rbac/role_assignments/{ASSIGNMENT['id']}"): [(200, ASSIGNMENT)],
        }
    )
    with script.serving():
        monkeypatch.setenv("ST2_API_URL", script.url)
        yield script


def test_roles(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["role", "list", "--system"]) == 0
    assert "operator" in capsys.readouterr().out
    assert platform.requests[-1].query == {"system": "true"}
    assert main(["role", "get", "operator"]) == 0
    assert "action_execute" in capsys.readouterr().out
    assert main(["role", "get", "operator", "-j"]) == 0
    assert json.loads(capsys.readouterr().out) == ROLE
    assert main(["role", "get", "nosuch"]) == 1
    assert capsys.readouterr().err == 'ERROR: Role "nosuch" is not found.\n'


def test_assignments(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["role-assignment", "list", "-u", "ada", "--role", "operator", "--remote"]) == 0
    assert "assignments/ada.yaml" in capsys.readouterr().out
    assert platform.requests[-1].query == {"user": "ada", "role": "operator", "remote": "true"}
    assert main(["role-assignment", "get", ASSIGNMENT["id"]]) == 0
    assert "ada" in capsys.readouterr().out
    assert main(["role-assignment", "get", "nosuch"]) == 1
    assert capsys.readouterr().err == 'ERROR: Role assignment "nosuch" is not found.\n'
