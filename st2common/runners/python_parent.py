"""A warm python parent: imports a program once, then forks a child for each run of it.

``python -u python_parent.py <descriptor> <module>``; the descriptor is one end of a SOCK_SEQPACKET pair. Each packet
from the keeper carries four descriptors: a file with the order (JSON ``{"run", "arguments", "env", "cwd"}``), and the
child's three standard streams. The child answers ``{"run", "pid"}`` before it begins. It is forked twice and so becomes
the keeper's own.

Runs in any virtualenv: nothing but the standard library and what ``module`` imports. The module has a ``main()``.
"""

# ruff: noqa: E402
import sys

# The interpreter put this file's directory there, whose modules are not top-level ones.
del sys.path[0]

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import socket
import termios
import threading
import types
from collections.abc import Callable, Container
from typing import Any


def serve(channel: socket.socket, program: Callable[[], Any]) -> dict[str, Any] | None:
    """Fork for every order. Returns in each child with its order, in the parent (None) when the keeper is gone."""
    while True:
        packet, descriptors, _, _ = socket.recv_fds(channel, 64, 4)
        if not packet:
            return None
        order_file, *streams = descriptors
        with open(order_file, "rb") as file:
            file.seek(0)
            order: dict[str, Any] = json.load(file)
        if _fork_orphan(channel, order["run"]):
            _take_streams(streams)
            return order
        for fd in streams:
            os.close(fd)


def _fork_orphan(channel: socket.socket, run: str) -> bool:
    """True in the new process, which leads a session and has told its pid; False in this one."""
    try:
        between = os.fork()
    except OSError as error:
        channel.send(json.dumps({"run": run, "error": str(error)}).encode())
        return False
    if between:
        os.waitpid(between, 0)
        return False
    between = os.getpid()
    try:
        if os.fork():
            os._exit(0)
    except OSError as error:
        channel.send(json.dumps({"run": run, "error": str(error)}).encode())
        os._exit(1)
    # Not told before the keeper is its parent: the keeper waits for its end, and the program may look.
    while os.getppid() == between:
        os.sched_yield()
    os.setsid()
    channel.send(json.dumps({"run": run, "pid": os.getpid()}).encode())
    return True


def _take_streams(streams: list[int]) -> None:
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if os.isatty(1):
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)


def become(order: dict[str, Any]) -> None:
    """Take on what a fresh process would have been started with."""
    os.environ.clear()
    os.environ.update(order["env"])
    if order["cwd"] is not None:
        os.chdir(order["cwd"])
    sys.argv = list(order["arguments"])
    sys.modules["__main__"] = types.ModuleType("__main__")


def end(code: int, loaded: Container[str]) -> None:
    """End the process as its interpreter would, but leave alone the modules that the parent had ``loaded``.

    Threads are joined, exit handlers run, what the program made is finalized, streams are flushed. To take apart what
    is shared with the parent takes longer than many a program. Returns where a stream cannot be flushed: the
    interpreter knows what to say then.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing does
    atexit._run_exitfuncs()
    # The collector finalizes a file and its buffers in any order. What the parent had made is frozen and not listed.
    for each in gc.get_objects():
        if issubclass(type(each), io.IOBase):
            with contextlib.suppress(Exception):
                each.flush()
    for name in [name for name in sys.modules if name not in loaded]:
        del sys.modules[name]
    gc.collect()
    with contextlib.suppress(Exception):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
        os._exit(code)


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    program = importlib.import_module(sys.argv[2]).main
    loaded = frozenset(sys.modules)
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, all of these objects
    order = serve(channel, program)
    if order is None:
        return
    channel.detach()
    become(order)
    code = program()
    if isinstance(code, int):
        end(code & 0xFF, loaded)
    sys.exit(code)


if __name__ == "__main__":
    main()
