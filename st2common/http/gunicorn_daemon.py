"""An HTTP daemon of its own: gunicorn's master holds the port and replaces a worker that dies or hangs.

The application, with its clients of database and broker, is built in the worker: no client survives a fork.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventPyWSGIWorker

from st2common import log
from st2common.http.serving import LISTEN_BACKLOG, MAX_CONNECTIONS, HttpServer, WebApplication
from st2common.service import HEARTBEAT_INTERVAL, StatusFile
from st2common.systemd import Systemd

LOG = logging.getLogger(__name__)

# Seconds without a sign of life after which the master replaces the worker.
WORKER_TIMEOUT = 60
# Seconds between two signs of life; also how long a worker that the master left behind lives on.
_NOTIFY_INTERVAL = 1.0


def run(
    name: str,
    build: Callable[[], WebApplication],
    *,
    host: str,
    port: int,
    state_path: Path,
    stop_timeout: float,
) -> None:
    """Serve until a signal comes; ends the process (``SystemExit``). ``build`` is called in the worker.

    The status file carries the master's pid: that is the process which others stop.
    """
    status = StatusFile(state_path, name, listen=f"{host}:{port}")
    status.write(ready=False, health="starting")
    master = os.getpid()
    # What is here now stays as it is in master and worker: without this a collection in either would write to all of
    # it, and none of its pages would be shared any more.
    gc.collect()
    gc.freeze()
    try:
        _Gunicorn(build, status, name=name, host=host, port=port, stop_timeout=stop_timeout).run()
    finally:
        # A worker is a fork that ends by unwinding the same stack.
        if os.getpid() == master:
            status.remove()


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    def __init__(
        self,
        build: Callable[[], WebApplication],
        status: StatusFile,
        *,
        name: str,
        host: str,
        port: int,
        stop_timeout: float,
    ) -> None:
        self.build = build
        self.status = status
        self.systemd = Systemd()
        self.name = name
        self._settings = {
            "bind": f"{host}:{port}",
            "proc_name": name,
            "workers": 1,
            "worker_class": _Worker,
            "worker_connections": MAX_CONNECTIONS,
            "backlog": LISTEN_BACKLOG,
            "timeout": WORKER_TIMEOUT,
            "graceful_timeout": max(1, round(stop_timeout)),
            "logger_class": _Log,
            # A second way to command the daemon that nobody asked for.
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        for option, value in self._settings.items():
            self.cfg.set(option, value)

    def load(self) -> WebApplication:
        return self.build()

    def run(self) -> None:
        _Master(self).run()


class _Master(Arbiter):  # type: ignore[misc]
    """gunicorn's master, which a second signal ends at once, as in every other daemon."""

    def stop(self, graceful: bool = True) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end_at_once)
        super().stop(graceful)

    def _end_at_once(self, number: int, _frame: object) -> None:
        for worker in list(self.WORKERS):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        os._exit(128 + number)


class _Worker(GeventPyWSGIWorker):  # type: ignore[misc]
    """gunicorn's worker with our server in it. Stopping: the port first, streams at once, then the clients."""

    def init_process(self) -> None:
        self._stop = Event()
        self._reopen = False
        super().init_process()

    def load_wsgi(self) -> None:
        # Waiting for a database, however long, is no reason to be replaced.
        gevent.spawn(self._tell_that_it_lives)
        super().load_wsgi()

    def _tell_that_it_lives(self) -> None:
        # The file that it writes to is closed before the last greenlets of a worker end.
        with contextlib.suppress(ValueError):
            while self.alive:
                self.notify()
                gevent.sleep(_NOTIFY_INTERVAL)

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        if not self.booted:
            # It still waits for its database: there is nothing to end in order.
            os._exit(0)
        self._stop.set()

    def handle_usr1(self, sig: int, frame: Any) -> None:
        # Not here: whoever is interrupted may hold what writing to a log needs.
        self._reopen = True

    def run(self) -> None:
        web: WebApplication = self.wsgi
        server = HttpServer(self.sockets[0], web.application, web.tls)
        server.start()
        LOG.info("%s is ready (pid %d)", self.app.name, self.pid)
        self.app.systemd.ready()
        while self.alive:
            health = web.health()
            self.app.status.write(ready=True, health=health)
            self.app.systemd.alive(health)
            self._stop.wait(HEARTBEAT_INTERVAL)
            if self._reopen:
                self._reopen = False
                log.reopen_files()
        self.app.systemd.stopping()
        deadline = time.monotonic() + self.cfg.graceful_timeout
        # The rest is for closing the clients.
        server.stop(self.cfg.graceful_timeout / 2)
        web.close(max(0.0, deadline - time.monotonic()))


class _Log(Logger):  # type: ignore[misc]
    """gunicorn's own messages go where the daemon's go; requests are logged by the application."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)

    def access(self, *_: Any) -> None:
        """Nothing: see above."""

    def reopen_files(self) -> None:
        """In the master, which passes SIGUSR1 on to its worker."""
        log.reopen_files()
