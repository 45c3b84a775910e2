"""The child that runs a command on a Windows host: ``python -m st2actionrunner.runners.winrm_program``.

Reads a :class:`~st2actionrunner.runners.winrm_job.Job` from standard input, shows the output when the host hands it
out, and writes ``{"return_code"}``, or ``{"error"}`` where no command was run to its end, to the job's result file.
TERM ends the remote command first.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import warnings
from types import FrameType

import requests
import urllib3
from winrm.exceptions import WinRMError, WinRMOperationTimeoutError, WinRMTransportError
from winrm.protocol import Protocol

from st2actionrunner.runners import powershell, result_file
from st2actionrunner.runners.winrm_job import Job

# What a shell would say of a program that TERM has ended.
_TERMINATED = 128 + signal.SIGTERM

_UTF_8 = 65001

# Seconds that the host holds a request for output which there is none of, and after which no answer means that it is
# gone. Output is handed out at once.
_HELD = 20
_SILENCE = 40
# Seconds for each request that ends a command that has to end.
_FAREWELL = 2

_FAILURES = (WinRMError, WinRMTransportError, requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class Terminated(BaseException):
    """Somebody wants the end of the command."""


def main() -> int:
    """Do the job; 0 when the command has ended, whatever its code."""
    job = Job.from_json(sys.stdin.buffer.read())
    signal.signal(signal.SIGTERM, _terminate)
    if not job.verify:
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
    try:
        result: dict[str, object] = {"return_code": _run(job)}
    except Terminated:
        return _TERMINATED
    except (*_FAILURES, ValueError, AssertionError) as error:
        result = {"error": f"{type(error).__name__}: {error}"}
        print(result["error"], file=sys.stderr, flush=True)
    result_file.write(job.result_path, result)
    return 1 if "error" in result else 0


def _terminate(_number: int, _frame: FrameType | None) -> None:
    # Once is enough: what follows is the way out.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _run(job: Job) -> int:
    """The return code of the command."""
    connection = _connection(job, _HELD, _SILENCE)
    shell = connection.open_shell(
        codepage=_UTF_8, working_directory=job.cwd, env_vars=dict(job.variables) if job.variables else None
    )
    command: str | None = None
    try:
        command = connection.run_command(shell, job.command, console_mode_stdin=job.script is None)
        if job.script is not None:
            connection.send_command_input(shell, command, powershell.handed_over(job.script), end=True)
        return _output(connection, shell, command)
    finally:
        _clean_up(job, shell, command)


def _output(connection: Protocol, shell: str, command: str) -> int:
    """Show all output; the return code."""
    while True:
        try:
            stdout, stderr, code, done = connection.get_command_output_raw(shell, command)
        except WinRMOperationTimeoutError:
            # It has printed nothing for a while.
            continue
        for stream, data in ((sys.stdout.buffer, stdout), (sys.stderr.buffer, stderr)):
            stream.write(data)
            stream.flush()
        if done:
            return code


def _clean_up(job: Job, shell: str, command: str | None) -> None:
    """End the command, if it has not ended, and give back the shell: a host has few. A new connection: on ours an
    answer may be under way."""
    connection = _connection(job, _FAREWELL - 1, _FAREWELL)
    with contextlib.suppress(*_FAILURES, AssertionError, WinRMOperationTimeoutError):
        if command is not None:
            connection.cleanup_command(shell, command)
    with contextlib.suppress(*_FAILURES, AssertionError, WinRMOperationTimeoutError):
        connection.close_shell(shell)


def _connection(job: Job, held: int, silence: int) -> Protocol:
    return Protocol(
        endpoint=job.endpoint,
        transport=job.transport,  # type: ignore[arg-type] # the runner type's schema names those that there are
        username=job.username,
        password=job.password,
        server_cert_validation="validate" if job.verify else "ignore",
        operation_timeout_sec=held,
        read_timeout_sec=silence,
    )


if __name__ == "__main__":
    sys.exit(main())
