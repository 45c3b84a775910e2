from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from st2actionrunner.launch import Exit, PythonParent, RunnerError, RunRequest
from st2actionrunner.runners.python_script import PythonScript
from st2common.models.statuses import Status
from st2common.runners.python_environment import platform_path
from tests.unit.runners.requests import carried_out, outcome, request, settings


def action(directory: Path, pack: str = "core", **changes: Any) -> RunRequest:
    entry_point = directory / "pack" / "actions" / "act.py"
    entry_point.parent.mkdir(parents=True, exist_ok=True)
    entry_point.write_text(
        "from st2common.runners.base_action import Action\n"
        "class Act(Action):\n    def run(self, **given):\n        return given\n"
    )
    fields: dict[str, Any] = {
        "action": {"ref": f"{pack}.act", "pack": pack, "parameters": {}},
        "entry_point": entry_point,
        "action_parameters": {"secret": "open sesame"},
        "runner_parameters": {"timeout": 600, "log_level": "DEBUG"},
        "pack_config": {"key": "value"},
    }
    return request(directory, **fields | changes)


def virtualenv(directory: Path, pack: str) -> Path:
    made = directory / "virtualenvs" / pack
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to(sys.executable)
    (made / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    return made


def test_a_pack_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    run = action(tmp_path)
    launch = PythonScript(settings(tmp_path)).prepare(run)
    assert launch.argv == [sys.executable, "-P", "-u", "-m", "st2common.runners.python_action"]
    assert launch.parent == PythonParent(sys.executable, platform_path())
    assert launch.timeout == 600
    assert json.loads(launch.stdin or b"") == {
        "pack": "core",
        "file_path": str(run.entry_point),
        "parameters": {"secret": "open sesame"},
        "config": {"key": "value"},
        "config_path": str(tmp_path / "configs" / "core.yaml"),
        "log_level": "DEBUG",
        "result_path": str(tmp_path / "result"),
        "site_paths": [],
    }
    assert launch.env["ST2_API_URL"] == launch.env["ST2_ACTION_API_URL"] == "http://127.0.0.1:9101/v1"
    assert launch.env["ST2_AUTH_TOKEN"] == launch.env["ST2_ACTION_AUTH_TOKEN"] == "token-of-the-test"
    assert not any("sesame" in text for text in (*launch.argv, *launch.env.values()))


def test_the_wrapper_understands_the_request(tmp_path: Path) -> None:
    run, runner = action(tmp_path), PythonScript(settings(tmp_path))
    done = carried_out(runner.prepare(run))
    ended = outcome(done.exit, done.stdout, done.stderr, (tmp_path / "result").read_bytes())
    assert runner.conclude(run, ended) == (
        Status.SUCCEEDED,
        {"result": {"secret": "open sesame"}, "exit_code": 0, "stdout": "", "stderr": ""},
    )


def test_an_action_that_stands_in_for_a_workflow_has_its_output(tmp_path: Path) -> None:
    tagged = {"ref": "core.act", "pack": "core", "parameters": {}, "tags": [{"name": "result", "value": "output"}]}
    run, runner = action(tmp_path, action=tagged), PythonScript(settings(tmp_path))
    done = carried_out(runner.prepare(run))
    _, result = runner.conclude(run, outcome(done.exit, result=(tmp_path / "result").read_bytes()))
    assert result["output"] == result["result"] == {"secret": "open sesame"}


def test_only_actions_about_packs_know_where_content_lies(tmp_path: Path) -> None:
    runner = PythonScript(settings(tmp_path))
    assert runner.prepare(action(tmp_path, "packs")).env["ST2_SYSTEM__BASE_PATH"] == str(tmp_path)
    assert "ST2_SYSTEM__BASE_PATH" not in runner.prepare(action(tmp_path)).env


def test_a_pack_with_a_virtual_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/of/the/runner")
    made = virtualenv(tmp_path, "demo")
    run = action(tmp_path, "demo")
    (tmp_path / "pack" / "actions" / "lib").mkdir()
    launch = PythonScript(settings(tmp_path, enable_common_libs=True)).prepare(run)
    packages = made / "lib" / "python3.11" / "site-packages"
    path = (
        str(tmp_path / "pack" / "lib"),
        str(packages.parent),
        str(packages),
        str(tmp_path / "pack" / "actions" / "lib"),
        "/of/the/runner",
        *platform_path(),
    )
    assert launch.parent == PythonParent(str(made / "bin" / "python"), path, str(packages))
    assert launch.env["PYTHONPATH"] == os.pathsep.join(path)
    assert launch.env["PATH"].startswith(f"{made}/bin:")
    assert json.loads(launch.stdin or b"")["site_paths"] == [str(packages)]


def test_a_missing_virtual_environment(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match=r"packs\.setup_virtualenv packs=demo"):
        PythonScript(settings(tmp_path)).prepare(action(tmp_path, "demo"))


@pytest.mark.parametrize(
    ("variable", "warm"),
    [("PYTHONUNBUFFERED", False), ("LD_PRELOAD", False), ("LANG", False), ("TZ", False), ("TZDIR_OF_MINE", True)],
)
def test_variables_that_an_interpreter_reads_when_it_starts(tmp_path: Path, variable: str, warm: bool) -> None:
    run = action(tmp_path, runner_parameters={"env": {variable: "1"}})
    launch = PythonScript(settings(tmp_path)).prepare(run)
    assert (launch.parent is not None) is warm
    assert launch.env[variable] == "1"


def test_the_import_path_of_the_user_is_dropped(tmp_path: Path) -> None:
    run = action(tmp_path, runner_parameters={"env": {"PYTHONPATH": "/of/the/user"}})
    launch = PythonScript(settings(tmp_path)).prepare(run)
    assert launch.parent is not None
    assert "/of/the/user" not in launch.env["PYTHONPATH"]


@pytest.mark.parametrize(
    ("asked", "configured", "level"),
    [("DEBUG", "INFO", "INFO"), ("ERROR", "INFO", "ERROR"), (None, "WARNING", "WARNING")],
)
def test_log_level(tmp_path: Path, asked: str | None, configured: str, level: str) -> None:
    run = action(tmp_path, runner_parameters={"log_level": asked})
    launch = PythonScript(settings(tmp_path, python_log_level=configured)).prepare(run)
    assert json.loads(launch.stdin or b"")["log_level"] == level


@pytest.mark.parametrize(
    ("ended", "written", "status", "expected"),
    [
        (Exit(exit_code=0), {"result": {"a": 1}, "status": None}, Status.SUCCEEDED, {"result": {"a": 1}}),
        (Exit(exit_code=0), {"result": 5, "status": True}, Status.SUCCEEDED, {"result": 5}),
        (Exit(exit_code=0), {"result": "why", "status": False}, Status.FAILED, {"result": "why"}),
        (Exit(exit_code=0), None, Status.SUCCEEDED, {"result": "None"}),
        (Exit(exit_code=1), None, Status.FAILED, {"result": "None", "exit_code": 1}),
        (
            Exit(signal=signal.SIGTERM, timed_out=True),
            None,
            Status.TIMEOUT,
            {"result": "None", "exit_code": -9, "error": "Action failed to complete in 600 seconds"},
        ),
        (
            Exit(signal=signal.SIGSEGV),
            None,
            Status.FAILED,
            {"exit_code": -11, "error": "The process was ended by signal 11 (SIGSEGV)."},
        ),
        (Exit(exit_code=0), {"result": 2**64, "status": None}, Status.SUCCEEDED, {"result": str(2**64)}),
        (Exit(exit_code=0), {"result": [float("nan")]}, Status.SUCCEEDED, {"result": "[NaN]"}),
    ],
)
def test_conclusion(tmp_path: Path, ended: Exit, written: Any, status: Status, expected: dict[str, Any]) -> None:
    result = None if written is None else json.dumps(written).encode()
    runner = PythonScript(settings(tmp_path))
    concluded = runner.conclude(action(tmp_path), outcome(ended, "1\n", "warning\n", result))
    assert concluded[0] is status
    # Output of python actions is not parsed, nor is its last line break taken away.
    common = {"exit_code": 0, "stdout": "1\n", "stderr": "warning\n", "result": "None"}
    assert concluded[1] == common | expected


def test_a_status_that_is_none(tmp_path: Path) -> None:
    text = 'note\nTraceback (most recent call last):\n  File "act.py"\nValueError: no\n'
    status, result = PythonScript(settings(tmp_path)).conclude(action(tmp_path), outcome(Exit(exit_code=220), "", text))
    assert (status, result) == (Status.FAILED, {"error": text, "traceback": text.removeprefix("note\n")})


@pytest.mark.parametrize("written", [b'{"result": [1, ', b"", b"[]"])
def test_a_result_cut_short(tmp_path: Path, written: bytes) -> None:
    status, result = PythonScript(settings(tmp_path)).conclude(
        action(tmp_path), outcome(Exit(signal=9), result=written)
    )
    assert (status, result["result"]) == (Status.FAILED, "None")


def test_a_result_that_no_document_can_hold(tmp_path: Path) -> None:
    written = json.dumps({"result": "x" * 15_000_000, "status": None}).encode()
    status, result = PythonScript(settings(tmp_path)).conclude(
        action(tmp_path), outcome(Exit(exit_code=0), result=written)
    )
    assert status is Status.FAILED
    assert "larger than" in result["error"]
