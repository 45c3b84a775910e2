from __future__ import annotations

import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from st2actionrunner.launch import Exit, Launch, PythonParent, RunnerError, RunRequest
from st2actionrunner.runners.noop import Noop
from st2actionrunner.runners.registry import Runners
from st2actionrunner.runners.remote_shell import RemoteCommand, RemoteScript
from st2actionrunner.ssh.job import Job, split_host
from st2actionrunner.ssh.output import result_limit
from st2common.models.statuses import Status
from st2common.runners.python_environment import platform_path
from st2common.transport.memory import MemoryTransport
from tests.unit.runners.requests import outcome, request, settings


def command(directory: Path, **parameters: Any) -> RunRequest:
    return request(
        directory,
        runner_parameters={"cmd": "uptime", "hosts": "a, b:2222,,a", "cwd": "/srv", "timeout": 60} | parameters,
    )


def job_of(launch: Launch) -> Job:
    return Job.from_json(launch.stdin or b"")


def test_launch(tmp_path: Path) -> None:
    run = command(tmp_path, password="open sesame", sudo=True, sudo_password="barley", env={"A": "1 2"}, port=22022)
    launch = RemoteCommand(settings(tmp_path)).prepare(run)
    assert launch.argv == [sys.executable, "-P", "-u", "-m", "st2actionrunner.runners.remote_program"]
    assert launch.parent == PythonParent(sys.executable, platform_path())
    job = job_of(launch)
    assert job.hosts == ("a", "b:2222")
    assert (job.port, job.parallel, job.timeout, job.sudo_password) == (22022, 1, 60.0, "barley")
    assert (job.credentials.password, job.credentials.username) == ("open sesame", None)
    assert job.result_path == str(tmp_path / "result")
    lines = job.command.splitlines()
    assert "export A='1 2'" in lines
    assert "export ST2_ACTION_AUTH_TOKEN=token-of-the-test" in lines
    inside = "cd /srv || exit\nuptime"
    assert job.command.endswith(f"sudo -S -p '' -E -- bash -c {shlex.quote(inside)}")
    for secret in ("sesame", "barley", "token-of-the-test"):
        assert not any(secret in text for text in (*launch.argv, *launch.env.values()))
    # Two hosts, one after the other, each with its time to connect.
    assert launch.timeout == 2 * (60 + 2 * 60) + 60


@pytest.mark.parametrize(("hosts", "at_a_time"), [(1, 1), (2, 1), (3, 2), (9, 4), (300, 50)])
def test_hosts_at_a_time(tmp_path: Path, hosts: int, at_a_time: int) -> None:
    run = command(tmp_path, hosts=",".join(f"h{number}" for number in range(hosts)))
    assert job_of(RemoteCommand(settings(tmp_path)).prepare(run)).parallel == at_a_time


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hosts": " , "}, "names no host"),
        ({"hosts": "a:b"}, '"a:b" is not a host'),
        ({"cmd": None}, "there is no command"),
        ({"env": {"A B": 1}}, '"A B" is not the name of a variable'),
        ({"timeout": -1}, "more than 0 seconds"),
    ],
)
def test_what_cannot_be_started(tmp_path: Path, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(RunnerError, match=message):
        RemoteCommand(settings(tmp_path)).prepare(command(tmp_path, **parameters))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", ("web", None)),
        ("web:2222", ("web", 2222)),
        ("10.0.0.1:22", ("10.0.0.1", 22)),
        ("fe80::1", ("fe80::1", None)),
        ("[fe80::1]", ("fe80::1", None)),
        ("[fe80::1]:22", ("fe80::1", 22)),
    ],
)
def test_hosts(text: str, expected: tuple[str, int | None]) -> None:
    assert split_host(text) == expected


@pytest.mark.parametrize("text", ["web:", "web:0", "web:65536", "web:ssh", ":22", "[fe80::1]22", "[]:22", "web:²"])
def test_no_hosts(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        split_host(text)


def test_script(tmp_path: Path) -> None:
    script = tmp_path / "pack" / "actions" / "run it.sh"
    (script.parent / "lib").mkdir(parents=True)
    script.touch()
    schemas = {"first": {"type": "string", "position": 0}}
    values = {"first": "a b", "named": True}
    parameters = {"hosts": "a", "dir": "/var/tmp/"}
    run = request(tmp_path, entry_point=script, schemas=schemas, action_parameters=values, runner_parameters=parameters)
    job = job_of(RemoteScript(settings(tmp_path)).prepare(run))
    directory = f"/var/tmp/{run.execution_id}"
    assert job.script is not None
    assert (job.script.source, job.script.directory) == (str(script), directory)
    assert job.script.lib == str(script.parent / "lib")
    assert job.command.endswith(f"'{directory}/run it.sh' --named 'a b'")


OK = {"failed": False, "succeeded": True, "return_code": 0, "stdout": "1\n", "stderr": ""}
BAD = {"failed": True, "succeeded": False, "return_code": 255, "stdout": "", "stderr": "", "error": "refused"}
LATE = BAD | {"return_code": -9, "timeout": True}


@pytest.mark.parametrize(
    ("hosts", "partial", "status"),
    [
        ([OK, OK], False, Status.SUCCEEDED),
        ([OK, BAD], False, Status.FAILED),
        ([OK, BAD], True, Status.SUCCEEDED),
        ([BAD, BAD], True, Status.FAILED),
        ([LATE, LATE], False, Status.TIMEOUT),
        ([LATE, BAD], False, Status.FAILED),
        ([LATE, OK], False, Status.FAILED),
    ],
)
def test_status(tmp_path: Path, hosts: list[dict[str, Any]], partial: bool, status: Status) -> None:
    written = json.dumps({"hosts": {f"h{number}": host for number, host in enumerate(hosts)}}).encode()
    runner = RemoteCommand(settings(tmp_path, allow_partial_failure=partial))
    concluded, result = runner.conclude(command(tmp_path), outcome(Exit(exit_code=0), result=written))
    assert concluded is status
    # As everywhere in the shell runners, output that is JSON is data.
    assert [host["stdout"] for host in result.values()] == [1 if host is OK else "" for host in hosts]


@pytest.mark.parametrize(
    ("ended", "written", "status", "error"),
    [
        (Exit(exit_code=1), b'{"error": "no key"}', Status.FAILED, "no key"),
        (Exit(signal=9), None, Status.FAILED, "ended by signal 9"),
        (Exit(signal=signal.SIGKILL, timed_out=True), None, Status.TIMEOUT, "failed to complete in 60 seconds"),
        (Exit(exit_code=1), None, Status.FAILED, "could not be worked with"),
    ],
)
def test_total_failure(tmp_path: Path, ended: Exit, written: bytes | None, status: Status, error: str) -> None:
    concluded, result = RemoteCommand(settings(tmp_path)).conclude(
        command(tmp_path), outcome(ended, stderr="trace", result=written)
    )
    assert concluded is status
    assert error in result.pop("error")
    assert result == {"traceback": "trace", "failed": True, "succeeded": False}


def test_copies_of_all_hosts_fit_into_a_document() -> None:
    assert result_limit(1) == 1024 * 1024
    assert all(2 * hosts * result_limit(hosts) <= 4 * 1024 * 1024 for hosts in (2, 50, 1000))


def test_registry(tmp_path: Path, memory_transport: MemoryTransport) -> None:
    runners = Runners(settings(tmp_path), memory_transport)
    assert isinstance(runners.get("remote-shell-cmd"), RemoteCommand)
    with pytest.raises(RunnerError, match='no runner of type "cloudslang"'):
        runners.get("cloudslang")


def test_noop(tmp_path: Path) -> None:
    noop = Noop()
    run = request(tmp_path)
    assert noop.prepare(run).argv == ["true"]
    expected = {"failed": False, "succeeded": True, "return_code": 0}
    assert noop.conclude(run, outcome(Exit(exit_code=0))) == (Status.SUCCEEDED, expected)
