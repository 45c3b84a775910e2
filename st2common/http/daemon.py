"""The entry point of an HTTP daemon: configuration and logging in gunicorn's master, everything else in its worker."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gunicorn.arbiter import Arbiter
from oslo_config import cfg
from pymongo.database import Database

from st2common import daemon
from st2common.config.clients import connect_database, make_transport
from st2common.config.loopback import require_loopback
from st2common.errors import ConfigError
from st2common.http import gunicorn_daemon
from st2common.http.serving import WebApplication
from st2common.membership import Membership
from st2common.models import connection
from st2common.models.connection import Document
from st2common.transport.port import Transport

Make = Callable[[cfg.ConfigOpts, Database[Document], Transport], WebApplication]


def main(name: str, make: Make, args: Sequence[str] | None = None) -> int:
    """Run the daemon ``name`` (``st2api``) until a signal comes; its exit code. ``make`` is called in the worker."""
    return daemon.guarded(name, lambda: _run(name, make, daemon.prepare(name, args)))


def _run(name: str, make: Make, config: cfg.ConfigOpts) -> int:
    group = name.removeprefix("st2")
    host, port = config[group].host, config[group].port
    require_loopback(config, group)
    master = os.getpid()
    try:
        gunicorn_daemon.run(
            name,
            lambda: _build(name, make, config, master),
            host=f"[{host}]" if ":" in host and not host.startswith("[") else host,
            port=port,
            state_path=Path(config.system.state_path),
            stop_timeout=daemon.STOP_TIMEOUT,
        )
    except SystemExit as end:
        # The worker is a fork that ends by unwinding the same stack: its code is for the master alone.
        if os.getpid() == master and end.code == Arbiter.APP_LOAD_ERROR:
            return daemon.EXIT_CONFIG
        raise
    return 0


def _build(name: str, make: Make, config: cfg.ConfigOpts, master: int) -> WebApplication:
    try:
        database = connect_database(config)
        transport = make_transport(config)
        web = make(config, database, transport)
    except ConfigError as error:
        print(f"{name}: {error}", file=sys.stderr)
        # The one code, besides that of a crash, at which gunicorn's master ends instead of trying again for ever.
        sys.exit(Arbiter.APP_LOAD_ERROR)

    membership = Membership(config, database, [name], master)
    membership.start()

    def close(seconds: float) -> None:
        deadline = time.monotonic() + seconds
        membership.stop(seconds)
        web.close(seconds)
        transport.close(max(0.0, deadline - time.monotonic()))
        connection.disconnect()

    return replace(web, close=close)
