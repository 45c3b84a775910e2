"""Run a command that is killed when its parent dies: ``die_with_parent.py <parent's pid> <signal> <command...>``.

Run as a script by :mod:`st2ctl.embedded`. A program of its own because ``prctl`` must be called in the child after the
fork, where a process with threads or greenlets can safely do nothing but exec.
"""

from __future__ import annotations

import ctypes
import os
import sys

# From <linux/prctl.h>. The setting survives exec; the kernel clears it for the command's own children.
PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, signal_number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        # The parent died before prctl took effect, so no signal will come.
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
