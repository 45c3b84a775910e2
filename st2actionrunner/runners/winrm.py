"""``winrm-cmd``, ``winrm-ps-cmd`` and ``winrm-ps-script``: a Windows host, over WinRM (WS-Management).

The work is done by :mod:`st2actionrunner.runners.winrm_program`, a child under the keeper like any other.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from st2actionrunner.launch import Launch, Outcome, PythonParent, RunnerError, RunRequest
from st2actionrunner.runners import powershell, result_file
from st2actionrunner.runners.entry_point import entry_point, release
from st2actionrunner.runners.environment import user_variables
from st2actionrunner.runners.results import shell_result
from st2actionrunner.runners.settings import RunnerSettings
from st2actionrunner.runners.timeouts import timeout_of
from st2actionrunner.runners.winrm_job import Job
from st2common.models.statuses import Status
from st2common.runners.python_environment import public_part

PROGRAM = "st2actionrunner.runners.winrm_program"

#: Return code where no command could be run, as that of SSH.
NOT_RUN = 255


class WinrmCommand:
    """Runner of ``winrm-cmd``."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings

    def prepare(self, run: RunRequest) -> Launch:
        return _launch(run, _command_of(run), None, self._settings)

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        return _conclude(run, outcome)


class WinrmPowershell:
    """Runner of ``winrm-ps-cmd``."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings

    def prepare(self, run: RunRequest) -> Launch:
        return _launch(run, powershell.reader_command(), _command_of(run), self._settings)

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        return _conclude(run, outcome)


class WinrmScript:
    """Runner of ``winrm-ps-script``."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings

    def prepare(self, run: RunRequest) -> Launch:
        prefix = run.runner_parameters.get("kwarg_op")
        script = powershell.with_arguments(
            _text_of(entry_point(run)),
            run.action.get("parameters") or {},
            run.action_parameters,
            "-" if prefix is None else prefix,
        )
        return _launch(run, powershell.reader_command(), script, self._settings)

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        release(run)
        return _conclude(run, outcome)


def _text_of(script: Path) -> str:
    try:
        return script.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RunnerError(f'The script "{script}" is not text in UTF-8: {error}.') from error


def _command_of(run: RunRequest) -> str:
    command = run.runner_parameters.get("cmd")
    if not command:
        raise RunnerError('The parameter "cmd" has no value: there is no command to run.')
    return str(command)


def _launch(run: RunRequest, command: str, script: str | None, settings: RunnerSettings) -> Launch:
    if importlib.util.find_spec("winrm") is None:
        raise RunnerError("The runners for Windows need pywinrm: pip install 'st2[winrm]' for the action runner.")
    parameters = run.runner_parameters
    job = Job(
        endpoint=_endpoint(run),
        transport=parameters.get("transport") or "ntlm",
        username=parameters["username"],
        password=parameters["password"],
        verify=parameters.get("verify_ssl_cert") is not False,
        command=command,
        script=script,
        cwd=parameters.get("cwd") or None,
        variables=user_variables(run),
        result_path=str(run.directory / "result"),
    )
    return Launch(
        argv=[sys.executable, "-P", "-u", "-m", PROGRAM],
        env=public_part(os.environ) | {"PYTHONPATH": os.pathsep.join(settings.platform_path)},
        stdin=job.to_json(),
        timeout=timeout_of(run),
        parent=PythonParent(sys.executable, settings.platform_path),
    )


def _endpoint(run: RunRequest) -> str:
    parameters = run.runner_parameters
    scheme, host = parameters.get("scheme") or "https", str(parameters.get("host") or "").strip("[]")
    if scheme not in ("http", "https"):
        raise RunnerError(f'The parameter "scheme" is "{scheme}": it must be http or https.')
    if not host or any(character in host for character in "/@?# "):
        raise RunnerError(f'The parameter "host" is "{host}": it must be the name or the address of a host.')
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{parameters.get('port') or 5986}/wsman"


def _conclude(run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
    status, result = shell_result(outcome, timeout_of(run))
    written = result_file.read(outcome.result)
    if outcome.exit.timed_out or not written:
        return status, result
    code = written.get("return_code", NOT_RUN)
    result |= {"return_code": code, "failed": code != 0, "succeeded": code == 0}
    if "error" in written:
        result["error"] = outcome.mask(written["error"])
    return Status.SUCCEEDED if code == 0 else Status.FAILED, result
