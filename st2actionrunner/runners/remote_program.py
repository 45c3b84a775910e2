"""The child that runs an action on other hosts: ``python -m st2actionrunner.runners.remote_program``.

Reads a :class:`~st2actionrunner.ssh.job.Job` from standard input, shows the hosts' output while it comes, and writes
``{"hosts": {"<host>": {...}}}``, or ``{"error": "..."}`` if it could not begin, to the job's result file. TERM ends the
remote commands first.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import paramiko

from st2actionrunner.runners import result_file
from st2actionrunner.ssh.connection import Connector
from st2actionrunner.ssh.host import Result, failure, run_on
from st2actionrunner.ssh.job import Job
from st2actionrunner.ssh.output import HostStream, Pipe, result_limit
from st2actionrunner.ssh.private_keys import UnusableKey

# What a shell would say of a program that TERM has ended.
_TERMINATED = 128 + signal.SIGTERM


def main() -> int:
    """Do the job; 0 when there is a result for each host, whatever it is."""
    stop = threading.Event()

    def on_term(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_term)
    # What paramiko logs about lost connections is in the results, in better words.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    logging.getLogger("paramiko").propagate = False
    job = Job.from_json(sys.stdin.buffer.read())
    try:
        connector = Connector(job)
    except (UnusableKey, OSError, paramiko.SSHException) as error:
        print(error, file=sys.stderr, flush=True)
        result_file.write(job.result_path, {"error": str(error)})
        return 1
    result_file.write(job.result_path, {"hosts": _run_on_all(job, connector, stop)})
    return _TERMINATED if stop.is_set() else 0


def _run_on_all(job: Job, connector: Connector, stop: threading.Event) -> dict[str, Result]:
    limit = result_limit(len(job.hosts))
    stdout, stderr = Pipe(sys.stdout.fileno()), Pipe(sys.stderr.fileno())

    def run(host: str) -> Result:
        named = host if len(job.hosts) > 1 else None
        shown = HostStream(stdout, named, limit), HostStream(stderr, named, limit)
        try:
            return run_on(host, job, connector, *shown, stop)
        except Exception as error:
            # A fault of ours with one host must not cost the results of the others.
            return failure(f"{type(error).__name__}: {error}", *shown) | {"traceback": traceback.format_exc()}

    with ThreadPoolExecutor(max_workers=job.parallel) as pool:
        return dict(zip(job.hosts, pool.map(run, job.hosts), strict=True))


if __name__ == "__main__":
    sys.exit(main())
