"""The authentication service inside this process, and as what a worker of its daemon serves."""

from __future__ import annotations

import ssl

from oslo_config import cfg
from pymongo.database import Database

from st2api.auth.application import make_app
from st2common.auth.tokens import Tokens
from st2common.config.loopback import require_loopback
from st2common.http.serving import GeventServer, WebApplication, tls_context
from st2common.models.connection import Document
from st2common.transport.port import Transport


class AuthService:
    """Answers on ``[auth] host`` and ``port`` from inside this process."""

    name = "st2auth"

    def __init__(self, *, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        """``transport`` is not used; every service is made alike."""
        require_loopback(config, "auth")
        self._tokens = Tokens(database)
        app = make_app(config, database)
        self._server = GeventServer(self.name, app, config.auth.host, config.auth.port, _tls(config))

    @property
    def port(self) -> int:
        return self._server.port

    def start(self) -> None:
        self._tokens.ensure_indexes()
        self._server.start()

    def stop(self, deadline: float) -> None:
        self._server.stop(deadline)

    def health(self) -> str | None:
        return self._server.health()


def make(config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> WebApplication:
    """What a worker of the daemon serves."""
    Tokens(database).ensure_indexes()
    return WebApplication(make_app(config, database), lambda: None, lambda _seconds: None, _tls(config))


def _tls(config: cfg.ConfigOpts) -> ssl.SSLContext | None:
    return tls_context(config.auth.cert, config.auth.key) if config.auth.use_ssl else None
