"""What the entry point of every daemon does: configuration, logging, clients, services, signals, exit code.

The entry point itself patches the standard library by gevent before it imports anything else, this module included.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from oslo_config import cfg
from pymongo.database import Database

from st2common import config as configuration
from st2common import log, service
from st2common.config.clients import connect_database, make_transport
from st2common.errors import ConfigError
from st2common.membership import Membership
from st2common.models import connection
from st2common.models.connection import Document
from st2common.service import Service
from st2common.transport.port import Transport

Build = Callable[[cfg.ConfigOpts, Database[Document], Transport], Sequence[Service]]

# Exit code for a configuration that cannot work: starting again without changing it is useless.
EXIT_CONFIG = 2

# Seconds that a daemon gets for an orderly stop. Service managers wait longer than this before they kill.
STOP_TIMEOUT = 10.0


def main(name: str, build: Build, args: Sequence[str] | None = None, *, cli: Sequence[cfg.Opt] = ()) -> int:
    """Run the daemon ``name`` (``st2actionrunner``) until a signal comes; its exit code.

    ``build`` makes the services, in the order in which they start. The database answers when it is called, the broker
    may still be away. ``cli``: what its command line has beside what that of every daemon has.
    """
    return guarded(name, lambda: _run(name, build, prepare(name, args, cli)))


def guarded(name: str, body: Callable[[], int]) -> int:
    """Run ``body``; a wrong configuration becomes one line on stderr for each problem."""
    try:
        return body()
    except ConfigError as error:
        for line in str(error).splitlines():
            print(f"{name}: {line}", file=sys.stderr)
        return EXIT_CONFIG


def prepare(name: str, args: Sequence[str] | None = None, cli: Sequence[cfg.Opt] = ()) -> cfg.ConfigOpts:
    """The configuration of this process, with logging set up by it. The group of ``st2api`` is ``api``."""
    config = configuration.load(sys.argv[1:] if args is None else args, prog=name, cli=cli)
    log.configure(name.removeprefix("st2"), config)
    configuration.report(config)
    return config


def _run(name: str, build: Build, config: cfg.ConfigOpts) -> int:
    database = connect_database(config)
    try:
        transport = make_transport(config)
        try:
            services = [*build(config, database, transport)]
            services += _monitoring(name, config, database, transport, services)
            services.append(Membership(config, database, [name]))
            return service.run(name, services, Path(config.system.state_path), STOP_TIMEOUT)
        finally:
            # Last: services say what they did until they have stopped.
            transport.close()
    finally:
        connection.disconnect()


def _monitoring(
    name: str,
    config: cfg.ConfigOpts,
    database: Database[Document],
    transport: Transport,
    services: Sequence[Service],
) -> list[Service]:
    """The listener for probes and metrics, where the configuration gives the daemon a port for it."""
    if config.monitoring.ports.get(name, "0") == "0":
        return []
    # Only here: it brings all of HTTP, 9 MB in each daemon that has none otherwise.
    from st2common.http import monitoring

    return [monitoring.listener(name, config, database, transport, services)]
