"""The commands of ``st2`` against a scripted API: what is asked, what is printed, how they end."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from st2cli.shell import main
from tests.integration.scripted_platform import (
    EXECUTION_ID,
    LOCAL,
    RUNNER,
    ScriptedPlatform,
    end_events,
    execution,
    output_event,
)

Captured = pytest.CaptureFixture[str]

_ONE = f"/executions/{EXECUTION_ID}"


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    with ScriptedPlatform().serving() as scripted:
        scripted.may_end.set()
        scripted.answers = {
            ("GET", "/actions"): [(200, [{"ref": "core.local", "pack": "core", "description": "Runs a command."}])],
            ("GET", "/actions/core.local"): [(200, LOCAL)],
            ("GET", "/runnertypes"): [(200, [RUNNER])],
            ("GET", "/runnertypes/local-shell-cmd"): [(200, RUNNER)],
            ("GET", "/packs"): [(200, [{"ref": "core", "name": "core", "version": "1.0.1", "author": "A"}])],
            ("GET", "/packs/core"): [(200, {"ref": "core", "name": "core", "version": "1.0.1"})],
            ("POST", "/executions"): [(201, execution("requested", result={}))],
            ("GET", "/executions/"): [(200, [execution("running"), execution("failed", id="0" * 24)])],
            ("GET", _ONE): [(200, execution())],
        }
        scripted.streams[f"{_ONE}/output"] = [output_event("1", "hello\nworld\n"), *end_events("2")]
        for name in ("ST2_API_URL", "ST2_STREAM_URL"):
            monkeypatch.setenv(name, scripted.url)
        for name in ("ST2_AUTH_TOKEN", "ST2_API_KEY", "ST2_BASE_URL", "ST2_CONFIG_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield scripted


def test_run_waits_and_shows_the_result(platform: ScriptedPlatform, capsys: Captured) -> None:
    statuses = [(200, execution(status)) for status in ("requested", "scheduled", "running", "succeeded")]
    platform.answers["GET", _ONE] = statuses
    assert main(["run", "core.local", "cmd=date", "timeout=5"]) == 0
    assert capsys.readouterr().out == (
        f"id: {EXECUTION_ID}\naction.ref: core.local\ncontext.user: root\nparameters:\n  cmd: date\n"
        "status: succeeded (197ms elapsed)\n"
        "start_timestamp: 2026-11-22T13:46:19.072588Z\nend_timestamp: 2026-11-22T13:46:19.269418Z\n"
        "result:\n  failed: false\n  succeeded: true\n  return_code: 0\n"
        "  stdout: |\n    hello\n    world\n  stderr: ''\n"
    )
    (posted,) = platform.asked("POST", "/executions")
    assert posted.body == {"action": "core.local", "parameters": {"cmd": "date", "timeout": 5}, "user": None}
    assert platform.asked("GET", "/runnertypes")[0].query == {"name": "local-shell-cmd"}


def test_a_long_wait_is_told_on_a_terminal(platform: ScriptedPlatform) -> None:
    """In one line that is rewritten, and taken away at the end; nothing of it is in the result."""
    platform.answers["GET", _ONE] = [(200, execution("running"))]
    ours, theirs = pty.openpty()
    command = [Path(sys.executable).with_name("st2"), "run", "core.local", "cmd=x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        shown = os.read(ours, 1024)
        while b" s (its output: " not in shown:
            shown += os.read(ours, 1024)
        platform.answers["GET", _ONE] = [(200, execution("succeeded"))]
        out, _ = process.communicate(timeout=30)
    with contextlib.suppress(OSError):  # the other end is closed
        while more := os.read(ours, 1024):
            shown += more
    os.close(ours)
    assert process.returncode == 0
    assert out.startswith(f"id: {EXECUTION_ID}\n")
    assert re.fullmatch(rb"(\r\x1b\[Krunning, \d+ s \(its output: st2 execution tail \w+\))+\r\x1b\[K", shown)


@pytest.mark.parametrize(
    ("status", "code"),
    [("succeeded", 0), ("failed", 1), ("timeout", 0), ("abandoned", 0), ("canceled", 0), ("delayed", 0), ("paused", 0)],
)
@pytest.mark.parametrize("verb", [["run", "core.local", "cmd=x"], ["execution", "re-run", EXECUTION_ID]])
def test_only_failed_makes_run_fail(platform: ScriptedPlatform, verb: list[str], status: str, code: int) -> None:
    platform.answers["GET", _ONE] = [(200, execution(status))]
    platform.answers["POST", f"{_ONE}/re_run"] = [(201, execution("requested"))]
    assert main(verb) == code


@pytest.mark.parametrize(
    ("words", "parameters"),
    [
        (["date", "today"], {"cmd": "date today"}),
        (["--", "date", "-u", "--tail"], {"cmd": "date -u --tail"}),
        (["timeout=3", "--", "make", "-j", "a=1"], {"timeout": 3, "cmd": "make -j a=1"}),
        (["sudo=false", "env=A=1", "cmd=x"], {"sudo": False, "env": {"A": "1"}, "cmd": "x"}),
    ],
)
def test_options_end_at_two_dashes(platform: ScriptedPlatform, words: list[str], parameters: dict[str, Any]) -> None:
    assert main(["run", "core.local", *words]) == 0
    assert platform.asked("POST", "/executions")[0].body["parameters"] == parameters


def test_options_may_stand_between_parameters(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["run", "core.local", "cmd=x", "-a", "timeout=3", "--trace-tag", "deploy"]) == 0
    assert capsys.readouterr().out == (
        f"To get the results, execute:\n st2 execution get {EXECUTION_ID}\n\n"
        f"To view output in real-time, execute:\n st2 execution tail {EXECUTION_ID}\n"
    )
    body = platform.asked("POST", "/executions")[0].body
    assert body["parameters"] == {"cmd": "x", "timeout": 3}
    assert body["context"] == {"trace_context": {"trace_tag": "deploy"}}
    assert platform.asked("GET", _ONE) == []


def test_run_with_tail_shows_output_then_result(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["run", "--tail", "core.local", "cmd=x"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("[2026-11-22T13:46:19.000010Z][stdout] hello\n[2026-11-22T13:46:19.000010Z][stdout] world\n")
    assert f"Execution {EXECUTION_ID} has completed (status=succeeded).\nid: {EXECUTION_ID}\n" in out


def test_run_with_tail_and_json_is_one_object_a_line(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["run", "--tail", "-j", "core.local", "cmd=x"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record.get("line") for record in records] == ["hello", "world", None, None]
    assert records[-1] == execution()


def test_the_environment_goes_along_without_secrets(
    platform: ScriptedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ST2_AUTH_TOKEN", "secret-token")
    monkeypatch.setenv("BUILD", "42")
    assert main(["run", "-e", "core.local", "cmd=x", "env=EXTRA=1"]) == 0
    (posted,) = platform.asked("POST", "/executions")
    assert posted.body["parameters"]["env"]["BUILD"] == "42"
    assert posted.body["parameters"]["env"]["EXTRA"] == "1"
    assert "secret-token" not in json.dumps(posted.body)
    assert posted.headers["x-auth-token"] == "secret-token"


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        (["-k", "stdout"], "hello\nworld\n"),
        (["-k", "return_code"], "0\n"),
        (["-k", "nothing"], "null\n"),
        (["--attr", "status,result.return_code"], "status: succeeded (197ms elapsed)\nresult.return_code: 0\n"),
        (["--attr", "status", "--attr", "id", "-j"], {"status": "succeeded", "id": EXECUTION_ID}),
        (["-j"], execution()),
        (["-y"], execution()),
        (["-d", "-j"], execution()),
    ],
)
@pytest.mark.parametrize("verb", [["run", "core.local", "cmd=x"], ["execution", "get", EXECUTION_ID]])
def test_one_execution_in_the_form_that_is_asked_for(
    platform: ScriptedPlatform, verb: list[str], options: list[str], printed: str | dict[str, Any], capsys: Captured
) -> None:
    assert main([*verb, *options]) == 0
    out = capsys.readouterr().out
    assert printed == (out if isinstance(printed, str) else yaml.safe_load(out) if "-y" in options else json.loads(out))


def test_why_it_waits_is_told(platform: ScriptedPlatform, capsys: Captured) -> None:
    platform.answers["GET", _ONE] = [
        (200, execution("requested", waiting="Waits for an action runner: none is alive."))
    ]
    assert main(["execution", "get", EXECUTION_ID]) == 0
    assert "waiting: Waits for an action runner: none is alive.\n" in capsys.readouterr().out


def test_detail_shows_every_property(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["execution", "get", "-d", EXECUTION_ID]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == ["Property", *execution()]


def test_help_of_an_action_tells_its_parameters(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["run", "core.local", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "core.local: Action that executes an arbitrary Linux command on the localhost."
    assert [line.split()[:2] for line in lines[3:]] == [["cmd", "string"], ["env", "object"], ["timeout", "integer"]]
    assert platform.asked("POST", "/executions") == []


def test_a_list_stands_with_the_newest_at_the_bottom(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["execution", "list", "-n", "2", "--action", "core.local", "--status", "running"]) == 0
    captured = capsys.readouterr()
    rows = captured.out.splitlines()
    assert rows[0].split() == ["id", "action.ref", "context.user", "status", "start_timestamp", "end_timestamp"]
    assert [row.split()[0] for row in rows[1:]] == ["0" * 24, EXECUTION_ID]
    assert captured.err == "2 of 120 executions; -n 120 shows all.\n"
    assert platform.asked("GET", "/executions/")[0].query == {
        "limit": "2",
        "parent": "null",
        "sort_desc": "True",
        "include_attributes": "id,action.ref,context.user,status,start_timestamp,end_timestamp",
        "action": "core.local",
        "status": "running",
    }


def test_cancel(platform: ScriptedPlatform, capsys: Captured) -> None:
    platform.answers["DELETE", _ONE] = [
        (200, execution("canceled")),
        (200, {"faultstring": "Action cannot be canceled. State = succeeded."}),
    ]
    assert main(["execution", "cancel", EXECUTION_ID]) == 0
    assert main(["execution", "cancel", "last", "zzz"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"execution with id {EXECUTION_ID} canceled.",
        "Action cannot be canceled. State = succeeded.",
        "The resource could not be found.",
    ]


def test_rerun_with_other_parameters(platform: ScriptedPlatform) -> None:
    platform.answers["POST", f"{_ONE}/re_run"] = [(201, execution("requested"))]
    assert main(["execution", "re-run", EXECUTION_ID, "timeout=7"]) == 0
    (posted,) = platform.asked("POST", f"{_ONE}/re_run")
    assert posted.body == {"parameters": {"timeout": 7}, "tasks": [], "reset": [], "delay": 0}


@pytest.mark.parametrize(
    ("command", "first_words"),
    [
        (["action", "list"], ["ref", "core.local"]),
        (["action", "get", "core.local"], ["Property", "id", "ref"]),
        (["pack", "list"], ["ref", "core"]),
        (["pack", "get", "core"], ["Property", "ref", "name"]),
        (["runner", "list"], ["name", "local-shell-cmd"]),
        (["runner", "get", "local-shell-cmd"], ["Property", "id", "name"]),
    ],
)
def test_what_there_is(
    platform: ScriptedPlatform, command: list[str], first_words: list[str], capsys: Captured
) -> None:
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines][: len(first_words)] == first_words
    for form, load in (("-j", json.loads), ("-y", yaml.safe_load)):
        assert main([*command, form]) == 0
        assert load(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["run", "core.nosuch"], 'Action "core.nosuch" is not found (`st2 action list` shows what there is).'),
        (["action", "get", "core.nosuch"], 'Action "core.nosuch" is not found.'),
        (["execution", "get", "zzz"], 'Execution "zzz" is not found.'),
        (["execution", "re-run", "zzz"], 'Execution "zzz" is not found.'),
        (["execution", "re-run", "zzz", "a=b"], 'Execution "zzz" is not found.'),
        (["pack", "get", "nosuch"], 'Pack "nosuch" is not found.'),
        (["runner", "get", "nosuch"], 'Runner "nosuch" is not found.'),
        (["run", "core.local", "timeout=abc"], 'Parameter "timeout": "abc" is not an integer'),
    ],
)
def test_what_is_not_there(platform: ScriptedPlatform, command: list[str], complaint: str, capsys: Captured) -> None:
    assert main(command) == 1
    assert capsys.readouterr().err == f"ERROR: {complaint}\n"
    assert platform.asked("POST", "/executions") == []


def test_an_error_of_the_api_is_shown_with_its_text(platform: ScriptedPlatform, capsys: Captured) -> None:
    platform.answers["POST", "/executions"] = [(400, {"faultstring": "'cmd' is a required\x1b[2J property"})]
    assert main(["run", "core.local"]) == 1
    assert capsys.readouterr().err == (
        "ERROR: 400 Client Error: Bad Request\n"
        f"MESSAGE: 'cmd' is a required property for url: {platform.url}/executions\n"
    )


def test_an_answer_from_something_else(platform: ScriptedPlatform, capsys: Captured) -> None:
    platform.answers["GET", "/packs"] = [(200, b"<html>Welcome")]
    assert main(["pack", "list"]) == 1
    assert "is not JSON; is this address the API's? It starts: <html>Welcome" in capsys.readouterr().err


def test_an_api_that_restarts_while_we_wait(platform: ScriptedPlatform, capsys: Captured) -> None:
    away = (503, {"faultstring": "away"})
    platform.answers["GET", _ONE] = [(200, execution("running")), away, (200, execution())]
    assert main(["run", "core.local", "cmd=x"]) == 0
    assert capsys.readouterr().err == "The API does not answer; waiting for it ...\n"


def test_the_connection_is_kept(platform: ScriptedPlatform) -> None:
    assert main(["run", "core.local", "cmd=x"]) == 0
    assert len(platform.requests) > 3
    assert len({request.client_port for request in platform.requests}) == 1


def test_credentials_are_sent_and_never_shown(platform: ScriptedPlatform, capsys: Captured) -> None:
    platform.answers["GET", "/packs"] = [(401, {"faultstring": "Unauthorized"})]
    assert main(["pack", "list", "--api-key", "very-secret"]) == 1
    assert platform.requests[0].headers["st2-api-key"] == "very-secret"
    captured = capsys.readouterr()
    assert "set ST2_AUTH_TOKEN or ST2_API_KEY" in captured.err
    assert "very-secret" not in captured.out + captured.err


def test_a_platform_that_does_not_run_is_said_with_what_to_do(tmp_path: Path, capsys: Captured) -> None:
    arguments = ["--api-url", "http://127.0.0.1:1/v1", "--stream-url", "http://127.0.0.1:1/v1"]
    assert main([*arguments, "action", "list"]) == 1
    assert main(["execution", "tail", EXECUTION_ID, *arguments]) == 1
    api, stream = capsys.readouterr().err.split("ERROR: ")[1:]
    assert api.startswith("Cannot reach the API at http://127.0.0.1:1/v1 (Connection refused).\nIs it running? `st2ctl")
    assert stream.startswith("Cannot reach the stream service at http://127.0.0.1:1/v1 (Connection refused).")


@pytest.mark.parametrize(
    "command", [[], ["nosuch"], ["execution"], ["execution", "nosuch"], ["execution", "get"], ["run"], ["pack", "get"]]
)
def test_usage_errors_are_two(command: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="2"):
        sys.exit(main(command))
    captured = capsys.readouterr()
    assert "usage: st2" in captured.out + captured.err


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["execution", "--help"],
        *(["execution", verb, "--help"] for verb in ("list", "get", "tail", "cancel", "re-run")),
        ["action", "--help"],
        *(["action", verb, "--help"] for verb in ("list", "get", "execute")),
        ["run", "--help"],
    ],
)
def test_help(command: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="0"):
        sys.exit(main(command))
    assert capsys.readouterr().out.startswith("usage: st2")


def test_starting_imports_little() -> None:
    program = "import sys; from st2cli.shell import main; main(['pack', 'list']); print(sorted(sys.modules))"
    environ = {**os.environ, "ST2_API_URL": "http://127.0.0.1:1"}
    listed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=True)
    for heavy in ("yaml", "requests", "asyncio", "st2common", "http.server", "urllib.request", "importlib.metadata"):
        assert f"'{heavy}'" not in listed.stdout
