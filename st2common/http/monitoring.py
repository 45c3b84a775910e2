"""The listener of a daemon that has no HTTP of its own: :mod:`st2common.http.probes` and nothing else."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Sequence

from flask import Flask
from oslo_config import cfg
from pymongo.database import Database

from st2common.errors import ConfigError
from st2common.http import probes
from st2common.http.app import create_app
from st2common.http.cors import allowed_origins
from st2common.http.serving import HttpServer
from st2common.models.connection import Document
from st2common.service import Service
from st2common.transport.port import Transport

LOG = logging.getLogger(__name__)

# Several processes of one daemon on a host take so many ports from the configured one on, each the first free one.
PORTS = 32

# Connections that wait to be accepted: monitoring asks now and then.
_BACKLOG = 16


def listener(
    name: str,
    config: cfg.ConfigOpts,
    database: Database[Document],
    transport: Transport,
    services: Sequence[Service],
) -> Listener:
    """What answers for the daemon ``name`` on the port that ``[monitoring] ports`` gives it.

    Raises:
        ConfigError: what stands there is no port.
    """
    readiness = probes.Readiness(database, transport, {service.name: service.health for service in services})
    app = create_app(f"{name}-monitoring", prefixes=["/v1"], origins=allowed_origins(config))
    app.register_blueprint(probes.blueprint(readiness))
    return Listener(name, app, config.monitoring.host, _port(config, name))


class Listener:
    def __init__(self, daemon: str, app: Flask, host: str, port: int) -> None:
        self.name = f"{daemon} (monitoring)"
        self._app = app
        self._host = host.strip("[]")
        self._first_port = port
        self._server: HttpServer | None = None

    @property
    def port(self) -> int:
        """Where it listens, once it has started."""
        return self._server.port if self._server else self._first_port

    def start(self) -> None:
        """
        Raises:
            ConfigError: none of the ports is free, or the host is not ours.
        """
        self._server = HttpServer(self._socket(), self._app)
        self._server.start()
        LOG.info("Monitoring listens on %s port %d", self._host, self.port)

    def stop(self, deadline: float) -> None:
        if self._server:
            self._server.stop(deadline)
            self._server = None

    def health(self) -> str | None:
        return None if self._server else "monitoring does not listen"

    def _socket(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        for port in range(self._first_port, min(self._first_port + PORTS, 65536)):
            try:
                return socket.create_server((self._host, port), family=family, backlog=_BACKLOG)
            except OSError as error:
                refused = error
                if error.errno != errno.EADDRINUSE:
                    break
        raise ConfigError(f"[monitoring] cannot listen on {self._host} port {port}: {refused.strerror}") from refused


def _port(config: cfg.ConfigOpts, name: str) -> int:
    text = config.monitoring.ports[name]
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigError(f"[monitoring] ports: {name}:{text} is not a port (0: none)")
    return int(text)
