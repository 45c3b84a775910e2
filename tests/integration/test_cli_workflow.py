"""``st2 workflow inspect`` against a scripted API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from st2cli.shell import main
from tests.integration.scripted_platform import ScriptedPlatform

Captured = pytest.CaptureFixture[str]

PROBLEM = {"type": "semantic", "message": "There is no task", "spec_path": "tasks.a", "schema_path": "x", "line": 3}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    with ScriptedPlatform().serving() as scripted:
        scripted.may_end.set()
        scripted.answers = {
            ("POST", "/workflows/inspect"): [(200, [])],
            ("GET", "/actions/views/entry_point/mine.flow"): [(200, b"version: 1.0\n")],
        }
        monkeypatch.setenv("ST2_API_URL", scripted.url)
        for name in ("ST2_AUTH_TOKEN", "ST2_API_KEY", "ST2_BASE_URL", "ST2_CONFIG_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield scripted


def test_a_file_and_an_action(platform: ScriptedPlatform, capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("tasks: {}\n")
    assert main(["workflow", "inspect", "--file", str(file)]) == 0
    assert capsys.readouterr().out == "No errors found in workflow definition.\n"
    assert main(["workflow", "inspect", "--action", "mine.flow"]) == 0
    sent = platform.asked("POST", "/workflows/inspect")
    assert [request.body for request in sent] == ["tasks: {}\n", "version: 1.0\n"]
    assert main(["workflow", "inspect", "--file", str(tmp_path / "none.yaml")]) != 0
    assert "none.yaml" in capsys.readouterr().err


def test_problems(platform: ScriptedPlatform, capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("tasks: {}\n")
    platform.answers["POST", "/workflows/inspect"] = [(200, [PROBLEM])]
    assert main(["workflow", "inspect", "--file", str(file)]) == 1
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["3", "tasks.a", "semantic"]
    assert main(["workflow", "inspect", "--file", str(file), "-j"]) == 1
    assert json.loads(capsys.readouterr().out) == [PROBLEM]
