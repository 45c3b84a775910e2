"""Commands and scripts on this host; started as the runners say, without a keeper."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from st2actionrunner.launch import Exit, RunnerError, RunRequest
from st2actionrunner.runners.local_shell import LocalCommand, LocalScript
from st2common.models.statuses import Status
from tests.unit.runners.requests import carried_out, outcome, request, settings


@pytest.fixture
def command(tmp_path: Path) -> LocalCommand:
    return LocalCommand(settings(tmp_path))


@pytest.fixture
def script(tmp_path: Path) -> LocalScript:
    return LocalScript(settings(tmp_path))


def cmd(directory: Path, text: str, **runner_parameters: Any) -> RunRequest:
    return request(directory, runner_parameters={"cmd": text, "timeout": 60, **runner_parameters})


def scripted(directory: Path, text: str, **changes: Any) -> RunRequest:
    entry_point = directory / "pack" / "actions" / "the script.sh"
    entry_point.parent.mkdir(parents=True, exist_ok=True)
    entry_point.write_text(text)
    return request(directory, entry_point=entry_point, **changes)


def test_a_command_of_bash(command: LocalCommand, tmp_path: Path) -> None:
    run = cmd(tmp_path, 'a=(1 2); echo "${a[1]} $X $PWD"; exit 4', env={"X": "x y"}, cwd=str(tmp_path))
    status, result = command.conclude(run, carried_out(command.prepare(run)))
    assert status is Status.FAILED
    expected = {"failed": True, "succeeded": False, "return_code": 4, "stdout": f"2 x y {tmp_path}", "stderr": ""}
    assert result == expected


def test_platform_values_win_over_the_environment_of_the_user(command: LocalCommand, tmp_path: Path) -> None:
    run = cmd(tmp_path, "echo $ST2_ACTION_PACK_NAME", env={"ST2_ACTION_PACK_NAME": "core"})
    assert command.conclude(run, carried_out(command.prepare(run)))[1]["stdout"] == "demo"


def test_launch(command: LocalCommand, tmp_path: Path) -> None:
    launch = command.prepare(cmd(tmp_path, "true", pty=True, timeout=7))
    assert (launch.argv, launch.pty, launch.timeout, launch.stdin) == (["bash", "-c", "true"], True, 7.0, None)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cmd": ""}, '"cmd" has no value'),
        ({"cmd": "true", "cwd": "/no/such/directory"}, '"/no/such/directory" does not exist'),
        ({"cmd": "true", "timeout": 0}, "must be more than 0 seconds"),
    ],
)
def test_what_cannot_be_started(
    command: LocalCommand, tmp_path: Path, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(RunnerError, match=message):
        command.prepare(request(tmp_path, runner_parameters=parameters))


def test_sudo(command: LocalCommand, tmp_path: Path) -> None:
    launch = command.prepare(cmd(tmp_path, "id -u", sudo=True))
    assert launch.argv == ["sudo", "-n", "-E", "--", "bash", "-c", "id -u"]
    assert launch.stdin is None
    with_password = command.prepare(cmd(tmp_path, "id -u", sudo=True, sudo_password="open sesame"))
    assert with_password.argv == ["sudo", "-S", "-p", "", "-E", "--", "bash", "-c", "id -u"]
    assert with_password.stdin == b"open sesame\n"
    assert not any("sesame" in text for text in (*with_password.argv, *with_password.env.values()))


def test_another_system_user(tmp_path: Path) -> None:
    # Every Linux has this one; root has it too, and no test runs as it.
    run = cmd(tmp_path, "true")
    launch = LocalCommand(settings(tmp_path, system_user="nobody")).prepare(run)
    assert launch.argv == ["sudo", "-n", "-E", "-H", "-u", "nobody", "--", "bash", "-c", "true"]
    with pytest.raises(RunnerError, match='system user "stanley-of-the-test" does not exist on this host'):
        LocalCommand(settings(tmp_path, system_user="stanley-of-the-test")).prepare(run)
    # Root is meant then, whoever the system user is.
    run = cmd(tmp_path, "true", sudo=True)
    assert "-u" not in LocalCommand(settings(tmp_path, system_user="stanley-of-the-test")).prepare(run).argv


@pytest.mark.skipif(getpass.getuser() != "root" or not shutil.which("sudo"), reason="needs root and sudo")
def test_another_system_user_really(tmp_path: Path) -> None:
    runner = LocalCommand(settings(tmp_path, system_user="nobody"))
    run = cmd(tmp_path, "id -un; echo $X", env={"X": "kept"}, cwd="/")
    assert runner.conclude(run, carried_out(runner.prepare(run)))[1]["stdout"] == "nobody\nkept"


def test_without_sudo(command: LocalCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunnerError, match="not installed on this host"):
        command.prepare(cmd(tmp_path, "true", sudo=True))


def test_a_wrong_password(command: LocalCommand, tmp_path: Path) -> None:
    run = cmd(tmp_path, "true", sudo=True, sudo_password="wrong")
    ended = outcome(Exit(exit_code=1), stderr="Sorry, try again.\nsudo: 1 incorrect password attempt\n")
    status, result = command.conclude(run, ended)
    assert (status, result["return_code"]) == (Status.FAILED, -1)
    assert "sudo refused the password" in result["error"]


def test_a_script_and_its_arguments(script: LocalScript, tmp_path: Path) -> None:
    schemas = {"what": {"type": "string", "position": 0}, "loud": {"type": "boolean"}, "to": {"type": "string"}}
    values = {"to": "the 'world'; $HOME", "what": "hello  you", "loud": True}
    run = scripted(tmp_path, '#!/bin/sh\nprintf "%s\\n" "$@"\n', schemas=schemas, action_parameters=values)
    status, result = script.conclude(run, carried_out(script.prepare(run)))
    assert status is Status.SUCCEEDED
    assert result["stdout"].splitlines() == ["--to=the 'world'; $HOME", "--loud", "hello  you"]


def test_a_script_without_interpreter_line_and_another_prefix(script: LocalScript, tmp_path: Path) -> None:
    run = scripted(tmp_path, 'echo "$1"', action_parameters={"n": 1}, runner_parameters={"kwarg_op": "-"})
    assert script.conclude(run, carried_out(script.prepare(run)))[1]["stdout"] == "-n=1"


def test_a_script_that_is_not_there(script: LocalScript, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    missing = request(tmp_path, entry_point=tmp_path / "pack" / "actions" / "missing.sh")
    with pytest.raises(RunnerError, match=r"missing\.sh\" does not exist or is not a file"):
        script.prepare(missing)
    outside = request(tmp_path, entry_point=tmp_path / "pack" / "actions" / ".." / ".." / "outside.sh")
    with pytest.raises(RunnerError, match="lies outside the pack directory"):
        script.prepare(outside)
    with pytest.raises(RunnerError, match="has no entry point"):
        script.prepare(request(tmp_path))
    with pytest.raises(RunnerError, match='The pack "demo" is not on this host'):
        script.prepare(request(tmp_path, pack_path=None))


def test_a_script_of_another_revision(script: LocalScript, tmp_path: Path) -> None:
    run = scripted(tmp_path, "echo old", runner_parameters={"content_version": "v1"})
    pack = tmp_path / "pack"
    git = ["git", "-C", str(pack), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for line in ("init -q", "add .", "commit -qm old", "tag v1"):
        subprocess.run([*git, *shlex.split(line)], check=True)
    scripted(tmp_path, "echo new")
    hook = pack / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)
    launch = script.prepare(run)
    worktree = Path(f"/tmp/st2-git-worktree-{run.execution_id}.{run.attempt}")
    assert worktree.is_dir()
    assert script.conclude(run, carried_out(launch))[1]["stdout"] == "old"
    assert not worktree.exists()
    assert not (tmp_path / "hooked").exists()
    for revision in ("v2", "--help"):
        run = scripted(tmp_path, "", runner_parameters={"content_version": revision})
        with pytest.raises(RunnerError, match="content_version"):
            script.prepare(run)
    assert not worktree.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may change any file")
def test_a_script_that_cannot_be_made_executable(script: LocalScript, tmp_path: Path) -> None:
    run = request(tmp_path, entry_point=Path("/etc/passwd"), pack_path=Path("/etc"))
    with pytest.raises(RunnerError, match="is not executable, and cannot be made so"):
        script.prepare(run)
