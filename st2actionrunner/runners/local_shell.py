"""``local-shell-cmd`` and ``local-shell-script``: a command or a script on the runner's own host."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import stat
from pathlib import Path
from typing import Any

from st2actionrunner.launch import Launch, Outcome, RunnerError, RunRequest
from st2actionrunner.runners.arguments import DEFAULT_PREFIX, script_arguments
from st2actionrunner.runners.entry_point import entry_point, release
from st2actionrunner.runners.environment import platform_variables, user_variables
from st2actionrunner.runners.results import shell_result
from st2actionrunner.runners.settings import RunnerSettings
from st2actionrunner.runners.timeouts import timeout_of
from st2common.models.statuses import Status
from st2common.runners.python_environment import public_part

_WRONG_PASSWORD = re.compile(
    r"^sudo: (\d+ incorrect password attempt|no password was provided|a password is required)", re.M
)


class LocalCommand:
    """Runner of ``local-shell-cmd``."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings

    def prepare(self, run: RunRequest) -> Launch:
        command = run.runner_parameters.get("cmd")
        if not command:
            raise RunnerError('The parameter "cmd" has no value: there is no command to run.')
        return _launch(run, command, self._settings.system_user)

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        return _conclude(run, outcome)


class LocalScript:
    """Runner of ``local-shell-script``."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings

    def prepare(self, run: RunRequest) -> Launch:
        script = entry_point(run)
        try:
            _make_executable(script)
            return _launch(run, shlex.join([str(script), *arguments_of(run)]), self._settings.system_user)
        except RunnerError:
            release(run)
            raise

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        release(run)
        return _conclude(run, outcome)


def arguments_of(run: RunRequest) -> list[str]:
    """The arguments of the script of ``run``."""
    prefix = run.runner_parameters.get("kwarg_op")
    return script_arguments(
        run.action.get("parameters") or {}, run.action_parameters, DEFAULT_PREFIX if prefix is None else prefix
    )


def _launch(run: RunRequest, command: str, system_user: str) -> Launch:
    parameters = run.runner_parameters
    sudo = _sudo(bool(parameters.get("sudo")), system_user, parameters.get("sudo_password"))
    password = parameters.get("sudo_password")
    return Launch(
        argv=[*sudo, "bash", "-c", command],
        env=public_part(os.environ) | user_variables(run) | platform_variables(run),
        cwd=_directory(parameters.get("cwd")),
        stdin=f"{password}\n".encode() if sudo and password else None,
        timeout=timeout_of(run),
        pty=bool(parameters.get("pty")),
    )


def _sudo(as_root: bool, user: str, password: str | None) -> list[str]:
    """The words before the command that make it run as ``user``, or as root."""
    if not as_root and user == pwd.getpwuid(os.geteuid()).pw_name:
        return []
    if shutil.which("sudo") is None:
        raise RunnerError(
            f'Running as {"root" if as_root else user} needs "sudo", which is not installed on this host.'
        )
    # With a password: read from standard input, with no prompt in the output. Without: fail rather than wait for one.
    asked = ["-S", "-p", ""] if password else ["-n"]
    if as_root:
        return ["sudo", *asked, "-E", "--"]
    try:
        pwd.getpwnam(user)
    except KeyError:
        raise RunnerError(
            f'The system user "{user}" does not exist on this host. '
            "Create it, or name another one as [system_user] user in st2.conf."
        ) from None
    return ["sudo", *asked, "-E", "-H", "-u", user, "--"]


def _directory(cwd: str | None) -> str | None:
    if cwd and not Path(cwd).is_dir():
        raise RunnerError(f'The working directory "{cwd}" does not exist.')
    return cwd or None


def _make_executable(script: Path) -> None:
    mode = script.stat().st_mode
    wanted = mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
    if mode == wanted:
        return
    try:
        script.chmod(wanted)
    except OSError as error:
        if not os.access(script, os.X_OK):
            raise RunnerError(f'The script "{script}" is not executable, and cannot be made so: {error}.') from error


def _conclude(run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
    status, result = shell_result(outcome, timeout_of(run))
    refused = status is Status.FAILED and run.runner_parameters.get("sudo_password")
    if refused and _WRONG_PASSWORD.search(outcome.stderr):
        result |= {
            "return_code": -1,
            "error": "sudo refused the password, or does not allow this user to run the command.",
        }
    return status, result
