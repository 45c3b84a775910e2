"""``remote-shell-cmd`` and ``remote-shell-script``: a command or a script on other hosts, over SSH.

The work is done by :mod:`st2actionrunner.runners.remote_program`, a child under the keeper like any other.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from st2actionrunner.launch import Launch, Outcome, PythonParent, RunnerError, RunRequest
from st2actionrunner.runners import result_file
from st2actionrunner.runners.entry_point import entry_point, release
from st2actionrunner.runners.environment import platform_variables, user_variables
from st2actionrunner.runners.local_shell import arguments_of
from st2actionrunner.runners.results import explain, parsed_output
from st2actionrunner.runners.settings import RunnerSettings
from st2actionrunner.runners.timeouts import timeout_of
from st2actionrunner.ssh.job import Credentials, Job, ScriptCopy, split_host
from st2common.models.statuses import Status
from st2common.runners.python_environment import public_part

PROGRAM = "st2actionrunner.runners.remote_program"

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Seconds beyond what the program allows itself, after which the keeper ends it.
_RESERVE = 60


class RemoteCommand:
    """Runner of ``remote-shell-cmd``."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings

    def prepare(self, run: RunRequest) -> Launch:
        command = run.runner_parameters.get("cmd")
        if not command:
            raise RunnerError('The parameter "cmd" has no value: there is no command to run.')
        return _launch(run, command, None, self._settings)

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        return _conclude(run, outcome, self._settings)


class RemoteScript:
    """Runner of ``remote-shell-script``."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings

    def prepare(self, run: RunRequest) -> Launch:
        source = entry_point(run)
        base = run.runner_parameters.get("dir") or self._settings.ssh.remote_dir
        # A second attempt must not meet what the first one, whose runner was lost, has left.
        name = run.execution_id if run.attempt <= 1 else f"{run.execution_id}.{run.attempt}"
        directory = f"{base.rstrip('/')}/{name}"
        lib = run.pack_path / "actions" / "lib" if run.pack_path else None
        script = ScriptCopy(
            source=str(source),
            lib=str(lib) if lib and lib.is_dir() else None,
            directory=directory,
        )
        command = shlex.join([f"{directory}/{source.name}", *arguments_of(run)])
        return _launch(run, command, script, self._settings)

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        release(run)
        return _conclude(run, outcome, self._settings)


def hosts_of(run: RunRequest) -> tuple[str, ...]:
    """The hosts as written, each once.

    Raises:
        RunnerError: there is none, or one is not a host.
    """
    names = (name.strip() for name in str(run.runner_parameters.get("hosts") or "").split(","))
    hosts = tuple(dict.fromkeys(name for name in names if name))
    if not hosts:
        raise RunnerError('The parameter "hosts" names no host.')
    for host in hosts:
        try:
            split_host(host)
        except ValueError as error:
            raise RunnerError(f'The parameter "hosts": {error}') from error
    return hosts


def remote_command(command: str, cwd: str | None, variables: Mapping[str, str], sudo: bool, password: bool) -> str:
    """The text for the login shell of the remote account."""
    for name in variables:
        if not _VARIABLE_NAME.fullmatch(name):
            raise RunnerError(f'The parameter "env": "{name}" is not the name of a variable.')
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    # A command in the wrong directory may do harm there.
    inside = f"cd {shlex.quote(cwd)} || exit\n{command}" if cwd else command
    if not sudo:
        return exports + inside
    asked = "-S -p ''" if password else "-n"
    return f"{exports}sudo {asked} -E -- bash -c {shlex.quote(inside)}"


def _launch(run: RunRequest, command: str, script: ScriptCopy | None, settings: RunnerSettings) -> Launch:
    parameters = run.runner_parameters
    hosts = hosts_of(run)
    sudo, password = bool(parameters.get("sudo")), parameters.get("sudo_password")
    variables = user_variables(run) | platform_variables(run)
    ssh = settings.ssh
    job = Job(
        hosts=hosts,
        command=remote_command(command, parameters.get("cwd"), variables, sudo, bool(password)),
        sudo=sudo,
        sudo_password=password if sudo and password else None,
        pty=bool(parameters.get("pty")),
        credentials=_credentials(parameters, settings),
        port=parameters.get("port"),
        bastion_host=parameters.get("bastion_host") or None,
        timeout=timeout_of(run),
        connect_timeout=ssh.connect_timeout,
        parallel=min(ssh.max_parallel, len(hosts) // 3 + 1),
        known_hosts_file=ssh.known_hosts_file,
        trust_on_first_use=ssh.trust_on_first_use,
        config_file=ssh.config_file,
        script=script,
        result_path=str(run.directory / "result"),
    )
    environment = public_part(os.environ) | {"PYTHONPATH": os.pathsep.join(settings.platform_path)}
    return Launch(
        argv=[sys.executable, "-P", "-u", "-m", PROGRAM],
        env=environment,
        stdin=job.to_json(),
        timeout=_limit(job),
        parent=PythonParent(sys.executable, settings.platform_path),
    )


def _credentials(parameters: Mapping[str, Any], settings: RunnerSettings) -> Credentials:
    return Credentials(
        username=parameters.get("username") or None,
        default_username=settings.system_user,
        password=parameters.get("password") or None,
        private_key=parameters.get("private_key") or None,
        passphrase=parameters.get("passphrase") or None,
        default_key=settings.ssh.key_file,
    )


def _limit(job: Job) -> float | None:
    """Seconds for the whole program. The action's own limit holds on each host, from when its command begins."""
    if job.timeout is None:
        return None
    rounds = math.ceil(len(job.hosts) / job.parallel)
    return rounds * (job.timeout + 2 * job.connect_timeout) + _RESERVE


def _conclude(run: RunRequest, outcome: Outcome, settings: RunnerSettings) -> tuple[Status, dict[str, Any]]:
    written = result_file.read(outcome.result)
    hosts: dict[str, dict[str, Any]] = written.get("hosts") or {}
    if not hosts:
        ended = outcome.exit
        error = written.get("error") or explain(ended, timeout_of(run)) or "The hosts could not be worked with."
        result = {"error": error, "traceback": outcome.stderr, "failed": True, "succeeded": False}
        return Status.TIMEOUT if ended.timed_out else Status.FAILED, result
    for host in hosts.values():
        host |= {name: outcome.mask(value) for name, value in host.items() if isinstance(value, str)}
        host |= {stream: parsed_output(host[stream]) for stream in ("stdout", "stderr")}
    return _status(list(hosts.values()), settings.ssh.allow_partial_failure), dict(hosts)


def _status(hosts: list[dict[str, Any]], allow_partial_failure: bool) -> Status:
    succeeded = [host["succeeded"] for host in hosts]
    if all(succeeded) or (allow_partial_failure and any(succeeded)):
        return Status.SUCCEEDED
    return Status.TIMEOUT if all(host.get("timeout") for host in hosts) else Status.FAILED
