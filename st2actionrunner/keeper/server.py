"""The keeper's side of the conversation with the runner: JSON objects, one a line, over a Unix socket.

Requests (no answers, except to ``list``):

    {"request": "spawn", "run": "<execution id>.<attempt>", "argv": [...], "env": {...}, "cwd": str|null,
     "timeout": seconds|null, "grace": seconds, "max_output": bytes|null, "pty": bool,
     "parent": {"python", "path", "watch"}|null}
    {"request": "kill", "run": ..., "signal": "TERM"}
    {"request": "ack", "run": ..., "seen": offset, "durable": offset}
    {"request": "forget", "run": ...}
    {"request": "list"}

Events:

    {"event": "data", "run": ...}      the spool is longer than ``seen``; the next one only after an ``ack``
    {"event": "exited", "run": ...}    the spool ends with the exited frame
    {"event": "list", "runs": [{"run", "pid", "exited"}]}
    {"event": "refused", "run": ..., "message": ...}  a request made no sense

One runner is connected at a time; a new connection replaces the old one and is told of all that is in the spools.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from st2actionrunner.keeper import parents, spawn
from st2actionrunner.keeper.complaint import complain
from st2actionrunner.keeper.connection import Connection
from st2actionrunner.keeper.loop import Loop
from st2actionrunner.keeper.run import Run

# Seconds that a keeper without runner and without living run waits for a runner that restarts.
IDLE_GRACE = 2.0


class Keeper:
    """Serves until no runner is connected and no run lives, or until it is told to stop and has ended its runs."""

    def __init__(self, directory: str, listener: socket.socket, ended: list[str]) -> None:
        """``ended``: runs of a former keeper whose spools are complete and not yet forgotten."""
        self._directory = directory
        self._listener = listener
        self._loop = Loop()
        self._parents = parents.Parents(self._loop)
        self._runs: dict[str, Run] = {}
        self._ended = set(ended)
        self._living = 0
        self._runner: Connection | None = None
        # Wait statuses of warm children that ended before their parent told their pid.
        self._unclaimed: dict[int, int] = {}
        self._forking: set[str] = set()
        self._by_pid: dict[int, Run] = {}
        self._stopping = False
        self._done = False
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "spawn": self._on_spawn,
            "kill": self._on_kill,
            "ack": self._on_ack,
            "forget": self._on_forget,
            "list": self._on_list,
        }

    def serve(self) -> None:
        wakeup, signals = socket.socketpair()
        signals.setblocking(False)
        signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        self._loop.watch(wakeup.fileno(), lambda: self._signalled(wakeup.recv(4096)))
        self._loop.watch(self._listener.fileno(), self._accept)
        self._idle_or_not()
        while not self._done:
            self._loop.turn()
        self._parents.close()
        self._loop.close()

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except OSError as error:  # it has hung up already, or we have no descriptor left
            complain(f"a connection failed: {error}")
            return
        if self._runner is not None:
            self._runner.close()
        self._runner = Connection(accepted, self._loop, self._handle, self._disconnected)
        self._loop.cancel("idle")
        for run in self._runs.values():
            run.seen = 0
            run.announced = False
            self._announce(run)
            if run.exited:
                self._tell("exited", run.name)
        for name in self._ended:
            self._tell("exited", name)

    def _disconnected(self) -> None:
        self._runner = None
        self._idle_or_not()

    def _idle_or_not(self) -> None:
        if self._living:
            return
        if self._stopping:
            self._finish()
        elif self._runner is None:
            self._loop.alarm("idle", IDLE_GRACE, self._finish)

    def _finish(self) -> None:
        self._done = self._living == 0

    def _signalled(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers:
            self._stopping = True
            for run in list(self._runs.values()):
                run.kill(signal.SIGTERM)
            self._idle_or_not()
        self._reap()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                run = self._by_pid.pop(pid, None)
                if run is not None:
                    run.reaped(status)
                elif self._forking:
                    self._unclaimed[pid] = status

    def _handle(self, line: bytes) -> None:
        request: dict[str, Any] = {}
        try:
            request = json.loads(line)
            self._handlers[request["request"]](request)
        except (ValueError, KeyError, TypeError, OSError) as error:
            message = f"{type(error).__name__}: {error}"
            complain(f"request refused: {message}")
            self._send({"event": "refused", "run": request.get("run"), "message": message})

    def _on_spawn(self, request: dict[str, Any]) -> None:
        order = spawn.Order.parse(request)
        if order.run in self._runs or order.run in self._ended:
            return
        directory = f"{self._directory}/runs/{order.run}"
        run = self._runs[order.run] = Run(order.run, directory, self._loop, self._changed, order.max_output)
        self._living += 1
        if self._stopping:
            run.failed("The keeper is about to end.")
            return
        try:
            streams = spawn.open_streams(directory, order.pty)
        except OSError as error:
            run.failed(f"No streams for the child: {error}")
            return
        run.read_from(dict(streams.readers), order.timeout, order.grace)
        if not self._fork(run, order, streams):
            self._start(run, order, streams)

    def _fork(self, run: Run, order: spawn.Order, streams: spawn.Streams) -> bool:
        """Have a warm parent start the child; False when it has to be started cold."""
        if order.parent is None or (order.cwd is not None and not os.path.isdir(order.cwd)):
            return False
        arguments = parents.module_arguments(order.argv, order.parent["python"])
        if arguments is None:
            return False

        def on_started(pid: int) -> None:
            streams.close_child_ends()
            self._started(run, pid)

        def on_refused() -> None:
            self._forking.discard(run.name)
            self._start(run, order, streams)

        fork = parents.Fork(run.name, arguments, order.env, order.cwd, streams, on_started, on_refused)
        try:
            self._parents.fork(parents.key_of(order.parent, arguments[0]), fork)
        except OSError as error:
            complain(f"{run.name}: started cold: {error}")
            return False
        self._forking.add(run.name)
        return True

    def _start(self, run: Run, order: spawn.Order, streams: spawn.Streams) -> None:
        try:
            pid = spawn.start(order, streams)
        except (OSError, ValueError) as error:
            run.failed(spawn.explain(error, order))
            return
        finally:
            streams.close_child_ends()
        self._started(run, pid)

    def _started(self, run: Run, pid: int) -> None:
        self._forking.discard(run.name)
        run.started(pid)
        status = self._unclaimed.pop(pid, None)
        if status is None:
            self._by_pid[pid] = run
        else:
            run.reaped(status)
        if not self._forking:
            self._unclaimed.clear()

    def _on_kill(self, request: dict[str, Any]) -> None:
        run = self._runs.get(request["run"])
        if run is not None:
            run.kill(signal.Signals["SIG" + request.get("signal", "TERM")])

    def _on_ack(self, request: dict[str, Any]) -> None:
        run = self._runs.get(request["run"])
        if run is not None:
            run.acknowledge(int(request["seen"]), int(request["durable"]))
            self._announce(run)

    def _on_forget(self, request: dict[str, Any]) -> None:
        name = request["run"]
        self._ended.discard(name)
        run = self._runs.get(name)
        if run is not None:
            run.forgotten = True
            self._drop_forgotten(run)

    def _on_list(self, _request: dict[str, Any]) -> None:
        runs: list[dict[str, Any]] = [{"run": name, "pid": None, "exited": True} for name in sorted(self._ended)]
        runs += [{"run": run.name, "pid": run.pid, "exited": run.exited} for run in self._runs.values()]
        self._send({"event": "list", "runs": runs})

    def _changed(self, run: Run) -> None:
        if run.exited:
            self._living -= 1
            self._tell("exited", run.name)
            self._drop_forgotten(run)
            self._idle_or_not()
        else:
            self._announce(run)

    def _drop_forgotten(self, run: Run) -> None:
        if run.forgotten and run.exited:
            del self._runs[run.name]

    def _announce(self, run: Run) -> None:
        if not run.announced and run.size > run.seen and self._runner is not None:
            run.announced = True
            self._tell("data", run.name)

    def _tell(self, event: str, name: str) -> None:
        self._send({"event": event, "run": name})

    def _send(self, message: dict[str, Any]) -> None:
        if self._runner is not None:
            self._runner.send(json.dumps(message).encode() + b"\n")
