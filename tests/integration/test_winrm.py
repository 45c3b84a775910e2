"""The runners for Windows, as processes, against a server of the protocol written for these tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from st2actionrunner.launch import Launch, RunnerError
from st2actionrunner.runners.winrm import WinrmCommand, WinrmPowershell, WinrmScript
from st2common.models.statuses import Status
from tests.conditions import eventually
from tests.unit.runners.requests import carried_out, request, settings
from tests.wsman import PASSWORD, USER, Wsman, running_wsman


@pytest.fixture(scope="module")
def wsman() -> Iterator[Wsman]:
    with running_wsman() as server:
        yield server


def parameters_for(server: Wsman, **more: Any) -> dict[str, Any]:
    where = {"host": "127.0.0.1", "port": server.port, "scheme": "http", "transport": "basic"}
    return {**where, "username": USER, "password": PASSWORD, "timeout": 60, **more}


def ran(directory: Path, runner: Any, parameters: dict[str, Any], **run: Any) -> tuple[Status, dict[str, Any]]:
    wanted = request(directory, runner_parameters=parameters, **run)
    outcome = carried_out(runner(settings(directory)).prepare(wanted))
    written = directory / "result"
    status, result = runner(settings(directory)).conclude(
        wanted, replace(outcome, result=written.read_bytes() if written.exists() else None)
    )
    return status, result


def test_a_command(wsman: Wsman, tmp_path: Path) -> None:
    line = 'echo "$GREETING from $PWD"; echo 1 >&2; exit 3'
    parameters = parameters_for(wsman, cmd=line, cwd="/usr", env={"GREETING": "hello"})
    status, result = ran(tmp_path, WinrmCommand, parameters)
    assert status is Status.FAILED
    expected = {"return_code": 3, "stdout": "hello from /usr", "stderr": 1, "failed": True, "succeeded": False}
    assert result == expected
    assert not wsman.shells, "every shell is given back"
    status, result = ran(tmp_path, WinrmCommand, parameters_for(wsman, cmd="echo '{\"a\": 1}'"))
    assert (status, result["stdout"]) == (Status.SUCCEEDED, {"a": 1})


def test_powershell_is_handed_over_whatever_its_size(wsman: Wsman, tmp_path: Path) -> None:
    script = "Write-Host 'grüße'\n" + "# long\n" * 5000
    status, result = ran(tmp_path, WinrmPowershell, parameters_for(wsman, cmd=script))
    assert (status, result["stdout"]) == (Status.SUCCEEDED, script.removesuffix("\n"))
    assert len(wsman.lines[-1]) < 8191, "more than a command line of cmd.exe"


def test_a_script_gets_its_arguments(wsman: Wsman, tmp_path: Path) -> None:
    actions = tmp_path / "pack" / "actions"
    actions.mkdir(parents=True)
    (actions / "go.ps1").write_text("param($name, $flag, $place)\n$name")
    schemas = {"name": {"type": "string"}, "flag": {"type": "boolean"}, "place": {"type": "array", "position": 0}}
    action = {"ref": "demo.go", "pack": "demo", "parameters": schemas}
    values = {"name": "it's", "flag": False, "place": ["a", -1, {"k": None}], "absent": None}
    run = {"action": action, "action_parameters": values, "entry_point": actions / "go.ps1"}
    _, result = ran(tmp_path, WinrmScript, parameters_for(wsman, kwarg_op="-"), **run)
    assert result["stdout"].endswith("\n} -name 'it''s' -flag:$false @('a',(-1),@{'k'=$null})")


def started(launch: Launch) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        launch.argv, env=dict(launch.env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin
    process.stdin.write(launch.stdin or b"")
    process.stdin.close()
    process.stdin = None
    return process


def test_output_shows_at_once_and_term_ends_the_command(wsman: Wsman, tmp_path: Path) -> None:
    run = request(tmp_path, runner_parameters=parameters_for(wsman, cmd="echo begun; exec sleep 1000"))
    with started(WinrmCommand(settings(tmp_path)).prepare(run)) as process:
        assert process.stdout
        assert process.stdout.readline() == b"begun\n"
        remote = list(wsman.commands.values())[-1].process
        assert remote.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    eventually(lambda: remote.poll() == -signal.SIGKILL)
    eventually(lambda: not wsman.shells)


def test_a_wrong_password_and_a_host_that_is_away(wsman: Wsman, tmp_path: Path) -> None:
    status, result = ran(tmp_path, WinrmCommand, parameters_for(wsman, cmd="true", password="wrong"))
    assert (status, result["return_code"]) == (Status.FAILED, 255)
    assert "credentials" in result["error"]
    _, result = ran(tmp_path, WinrmCommand, parameters_for(wsman, cmd="true", port=1))
    assert (result["return_code"], "Connection refused" in result["error"]) == (255, True)


def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "server.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(certificate), "-out", str(tmp_path / "ca.pem")]
    subprocess.run([*make, *names], check=True, capture_output=True)
    certificate.write_text(certificate.read_text() + (tmp_path / "ca.pem").read_text())
    with running_wsman(certificate) as server:
        parameters = parameters_for(server, scheme="https", cmd="echo yes")
        _, result = ran(tmp_path, WinrmCommand, parameters)
        assert (result["return_code"], "CERTIFICATE_VERIFY_FAILED" in result["error"]) == (255, True)
        assert not server.lines, "nothing was sent to a host that is not known"
        _, result = ran(tmp_path, WinrmCommand, {**parameters, "verify_ssl_cert": False})
        assert result["stdout"] == "yes"
        monkeypatch.setitem(os.environ, "REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        _, result = ran(tmp_path, WinrmCommand, parameters)
        assert result["stdout"] == "yes"


def test_the_password_is_no_argument(wsman: Wsman, tmp_path: Path) -> None:
    launch = WinrmCommand(settings(tmp_path)).prepare(
        request(tmp_path, runner_parameters=parameters_for(wsman, cmd="true", host="::1"))
    )
    assert not any(PASSWORD in text for text in (*launch.argv, *launch.env.values()))
    assert json.loads(launch.stdin or b"")["endpoint"] == f"http://[::1]:{wsman.port}/wsman"
    for wrong in ({"host": "a/b"}, {"scheme": "ftp"}, {"cmd": ""}):
        run = request(tmp_path, runner_parameters={**parameters_for(wsman, cmd="true"), **wrong})
        with pytest.raises(RunnerError):
            WinrmCommand(settings(tmp_path)).prepare(run)
