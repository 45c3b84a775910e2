"""The authentication service's application: tokens for passwords, and whether a token is good."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, request
from oslo_config import cfg
from pymongo.database import Database

from st2common.auth.authenticator import Authenticator
from st2common.auth.backends import GroupsBackend, make_backend
from st2common.auth.failed_logins import FailedLogins
from st2common.auth.identity import Kind
from st2common.auth.tokens import NewToken, Tokens
from st2common.auth.users import Users
from st2common.clock import isoformat
from st2common.errors import AccessDenied, NotFound, Unauthorized, ValidationError
from st2common.http import body, probes
from st2common.http.app import create_app
from st2common.http.authentication import Authentication, public
from st2common.http.client_address import client_address
from st2common.http.cors import allowed_origins
from st2common.http.responses import answer
from st2common.http.serving import in_native_thread
from st2common.models.connection import Document
from st2common.models.roles import Roles
from st2common.rbac import remote_groups

LOG = logging.getLogger(__name__)

PREFIXES = ("/v1", "/auth/v1", "/auth")

_REFUSED = "Invalid or missing credentials"


def make_app(config: cfg.ConfigOpts, database: Database[Document]) -> Flask:
    """
    Raises:
        ConfigError: the backend cannot be made.
    """
    app = create_app("st2auth", prefixes=PREFIXES, origins=allowed_origins(config))
    logins = Logins(config, database)
    authenticator = Authenticator(database)

    Authentication(config, database).guard(app)
    app.register_blueprint(probes.blueprint(probes.Readiness(database, None, {})))

    @app.post("/tokens")
    @public
    def create_token() -> Response:
        wanted = _body()
        made = logins.log_in(wanted)
        response = answer(_shown(made), 201)
        response.headers["X-API-URL"] = config.auth.api_url or f"http://{config.api.host}:{config.api.port}"
        # A token is for whoever asked, not for a cache.
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.post("/tokens/validate")
    @public
    def validate_token() -> Response:
        token = _body().get("token")
        if not isinstance(token, str):
            raise ValidationError("'token' is a required property")
        return answer({"valid": authenticator.identity(Kind.TOKEN, token) is not None})

    @app.get("/sso")
    @public
    def single_sign_on() -> Response:
        return answer({"enabled": False})

    @app.get("/sso/request")
    @app.post("/sso/callback")
    @public
    def no_single_sign_on() -> Response:
        raise NotFound("Single sign-on is not enabled: get a token from /tokens.")

    return app


def _body() -> dict[str, Any]:
    parsed = body.parsed()
    if not isinstance(parsed, dict):
        raise ValidationError("The body is not an object")
    return parsed


def _shown(made: NewToken) -> Document:
    return {
        "id": made.id,
        "user": made.user,
        "token": made.token,
        "expiry": isoformat(int(made.expiry.timestamp() * 1_000_000)),
        "metadata": dict(made.metadata),
    }


class Logins:
    def __init__(self, config: cfg.ConfigOpts, database: Database[Document]) -> None:
        self._config = config
        self._tokens = Tokens(database)
        self._users = Users(database)
        self._roles = Roles(database)
        self._failed = FailedLogins()
        self._proxied = config.auth.mode == "proxy"
        self._backend = None if self._proxied else make_backend(config)
        if self._proxied:
            LOG.warning("Whoever reaches %s:%d is believed to be our proxy", config.auth.host, config.auth.port)

    def log_in(self, wanted: dict[str, Any]) -> NewToken:
        """
        Raises:
            Unauthorized, TooManyRequests: it is not known who asks.
            AccessDenied: it is somebody who may not act for the user that is asked for.
            ValidationError: what is asked for is not valid.
        """
        user = self._proxied_user() if self._proxied else self._checked_user()
        ttl = self._ttl(wanted.get("ttl"))
        service = bool(wanted.get("user") or wanted.get("impersonate_user"))
        owner = self._impersonated(user, wanted) if service else user
        self._sync_groups(user)
        made = self._tokens.create(owner, ttl)
        LOG.info('User "%s" has got a token for "%s" that lives for %d seconds', user, owner, ttl)
        return made

    def _checked_user(self) -> str:
        user, password, address = *_basic(), client_address()
        if not user:
            raise Unauthorized(_REFUSED)
        with self._failed.attempt(user, address):
            assert self._backend is not None  # noqa: S101 - there is one in this mode
            backend = self._backend
            if not in_native_thread(lambda: backend.authenticate(user, password)):
                LOG.warning('Login of user "%s" from %s refused', user.encode("unicode_escape").decode(), address)
                raise Unauthorized(_REFUSED)
        return user

    def _sync_groups(self, user: str) -> None:
        """A login whose groups cannot be found out fails: roles that were taken away elsewhere must not stay."""
        backend = self._backend
        if not (self._config.rbac.enable and self._config.rbac.sync_remote_groups):
            return
        if isinstance(backend, GroupsBackend):
            groups = in_native_thread(lambda: list(backend.get_user_groups(user) or ()))
            remote_groups.sync(self._roles, user, groups)

    def _proxied_user(self) -> str:
        environ, headers = request.environ, request.headers
        user: str = environ.get("REMOTE_USER") or headers.get("X-Forwarded-User") or _basic()[0]
        if not user:
            raise Unauthorized(_REFUSED)
        return user

    def _ttl(self, wanted: Any) -> int:
        most: int = self._config.auth.token_ttl
        if wanted is None:
            return most
        if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
            raise ValidationError(f"TTL {wanted!r} is not a number of seconds.")
        if wanted > most:
            raise ValidationError(f"TTL specified {wanted} is greater than max allowed {most}.")
        return wanted

    def _impersonated(self, user: str, wanted: dict[str, Any]) -> str:
        """Whom a service asks for: a user, or whom some chat system knows by that name."""
        if not self._users.is_service(user):
            raise AccessDenied("Current user is not a service account, so it can not impersonate another user.")
        named, origin = wanted.get("user") or wanted.get("impersonate_user"), wanted.get("nickname_origin")
        if not isinstance(named, str) or not isinstance(origin, str | None):
            raise ValidationError("The user to impersonate is not a name.")
        found = self._users.named(named, origin) if origin else named
        if found is None:
            raise ValidationError(f'Nobody is called "{named}" in "{origin}".')
        return found


def _basic() -> tuple[str, str]:
    """Name and password of the header ``Authorization``; empty where it has none."""
    given = request.authorization
    if given is None or given.type != "basic":
        return "", ""
    return given.username or "", given.password or ""
