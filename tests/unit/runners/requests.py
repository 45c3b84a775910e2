"""Requests and settings for tests of the runner modules."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from st2actionrunner.launch import Exit, Launch, Outcome, RunRequest
from st2actionrunner.runners.settings import RunnerSettings, SshSettings
from st2common.runners.python_environment import platform_path


def settings(directory: Path, **changes: Any) -> RunnerSettings:
    """Settings of a platform below ``directory``, whose system user is the one of the test."""
    ssh = {
        "key_file": str(directory / "system_key"),
        "remote_dir": "/tmp",
        "max_parallel": 50,
        "allow_partial_failure": False,
        "config_file": None,
        "connect_timeout": 60,
        "known_hosts_file": str(directory / "known_hosts"),
        "trust_on_first_use": False,
    }
    own = {
        "system_user": getpass.getuser(),
        "python": sys.executable,
        "virtualenvs": directory / "virtualenvs",
        "configs": directory / "configs",
        "enable_common_libs": False,
        "python_log_level": "DEBUG",
        "content_options": {"ST2_SYSTEM__BASE_PATH": str(directory)},
        "platform_path": platform_path(),
    }
    return RunnerSettings(
        **{name: changes.get(name, value) for name, value in own.items()},
        ssh=SshSettings(**{name: changes.get(name, value) for name, value in ssh.items()}),
    )


def request(directory: Path, **changes: Any) -> RunRequest:
    """A run of the action ``demo.act``, whose pack and run directory lie in ``directory``."""
    fields: dict[str, Any] = {
        "execution_id": "5f0c0ffee0c0ffee0c0ffee0",
        "attempt": 1,
        "action": {"ref": "demo.act", "pack": "demo", "parameters": changes.pop("schemas", {})},
        "runner_parameters": {},
        "action_parameters": {},
        "context": {"user": "tester"},
        "directory": directory,
        "pack_path": directory / "pack",
        "api_url": "http://127.0.0.1:9101/v1",
        "auth_token": "token-of-the-test",
    }
    return RunRequest(**fields | changes)


def carried_out(launch: Launch) -> Outcome:
    """What came of ``launch``, started as it is, without a keeper."""
    done = subprocess.run(
        launch.argv,
        env=dict(launch.env),
        cwd=launch.cwd,
        input=launch.stdin or b"",
        capture_output=True,
        timeout=60,
        check=False,
    )
    ended = Exit(signal=-done.returncode) if done.returncode < 0 else Exit(exit_code=done.returncode)
    return outcome(ended, os.fsdecode(done.stdout), os.fsdecode(done.stderr))


def outcome(
    ended: Exit,
    stdout: str = "",
    stderr: str = "",
    result: bytes | None = None,
    mask: Callable[[str], str] = lambda text: text,
) -> Outcome:
    return Outcome(exit=ended, stdout=stdout, stderr=stderr, result=result, mask=mask)
