"""Run a command; fail when a process that it started is still there after it.

    leaves_nothing_behind.py <command...>

Processes that lose their parent are given to us by the kernel (we are a "child subreaper"): neither a double fork nor
a session of their own hides them. What is left is listed and killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# From <linux/prctl.h>.
PR_SET_CHILD_SUBREAPER = 36

# Seconds that processes which are ending already may take.
GRACE = 10.0


def main() -> int:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")
    # Ctrl-C reaches the command through the terminal; we stay to look at what it leaves.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    command = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    signal.signal(signal.SIGTERM, lambda number, _frame: command.send_signal(number))
    code = command.wait()
    left = wait_for_the_rest()
    for pid, words in left.items():
        print(f"left behind by the run: {pid} {words}", file=sys.stderr)
        os.kill(pid, signal.SIGKILL)
    if left and code == 0:
        return 1
    return code if code >= 0 else 128 - code


def wait_for_the_rest() -> dict[int, str]:
    """Our descendants (pid -> command line) that do not end by themselves within the grace."""
    deadline = time.monotonic() + GRACE
    while True:
        reap()
        left = descendants()
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def descendants() -> dict[int, str]:
    parents = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] not in "ZX":
            parents[int(directory.name)] = int(fields[1])
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return {pid: command_line(pid) for pid in sorted(ours - {os.getpid()})}


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return "(just ended)"


if __name__ == "__main__":
    sys.exit(main())
