"""The whole job on one host: connect, copy, run, clean up, and say how it went."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import paramiko

from st2actionrunner.ssh.connection import ConnectFailed, Connector
from st2actionrunner.ssh.job import Job
from st2actionrunner.ssh.output import HostStream
from st2actionrunner.ssh.script_copy import copied
from st2actionrunner.ssh.session import Ended, Ending, Session

#: Return code for a host that could not be worked with, as of ``ssh``.
UNREACHABLE = 255
TIMED_OUT = -9
STOPPED = -15

Result = dict[str, Any]


def run_on(
    host: str, job: Job, connector: Connector, stdout: HostStream, stderr: HostStream, stop: threading.Event
) -> Result:
    """Do ``job`` on ``host``.

    Returns {failed, succeeded, return_code, stdout, stderr, timeout?, error?}; the output as text, bounded.
    """
    if stop.is_set():
        return _result(STOPPED, stdout, stderr, "The action was ended before it began on this host.")
    try:
        with connector.connect(host) as client:
            ended = _run(client, job, stdout, stderr, stop)
    except ConnectFailed as error:
        return failure(str(error), stdout, stderr)
    except (OSError, EOFError, paramiko.SSHException) as error:
        return failure(f"{type(error).__name__}: {error}", stdout, stderr)
    return _concluded(ended, job, stdout, stderr)


def _run(client: paramiko.SSHClient, job: Job, stdout: HostStream, stderr: HostStream, stop: threading.Event) -> Ended:
    transport = client.get_transport()
    if transport is None:
        raise paramiko.SSHException("the host has closed the connection")
    left: list[str] = []
    with contextlib.ExitStack() as stack:
        if job.script:
            left = stack.enter_context(copied(client, job.script, job.connect_timeout))
        ended = Session(transport, job, stop).run(stdout, stderr)
    for text in left:
        stderr.notice(text)
    return ended


def _concluded(ended: Ended, job: Job, stdout: HostStream, stderr: HostStream) -> Result:
    if ended.ending is Ending.TIMEOUT:
        error = f"Action failed to complete in {job.timeout:g} seconds"
        return _result(TIMED_OUT, stdout, stderr, error) | {"timeout": True}
    if ended.ending is Ending.STOPPED:
        return _result(STOPPED, stdout, stderr, "The action was ended.")
    if ended.exit_status is not None:
        return _result(ended.exit_status, stdout, stderr, None)
    if not ended.connected:
        return failure("The connection to the host broke while the command ran.", stdout, stderr)
    return _result(-1, stdout, stderr, "The command ended without an exit status: a signal has ended it.")


def failure(error: str, stdout: HostStream, stderr: HostStream) -> Result:
    """The result for a host that could not be worked with, which is also shown to the watchers."""
    result = _result(UNREACHABLE, stdout, stderr, error)
    # The end of our own pipe is no news here.
    with contextlib.suppress(OSError):
        stderr.notice(error)
    return result


def _result(code: int, stdout: HostStream, stderr: HostStream, error: str | None) -> Result:
    result: Result = {
        "failed": code != 0,
        "succeeded": code == 0,
        "return_code": code,
        "stdout": stdout.text(),
        "stderr": stderr.text(),
    }
    return result | {"error": error} if error else result
