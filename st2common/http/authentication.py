"""Who asks: found out before a request reaches its route, and again and again while its answer is a stream.

The first place of a request that has a credential decides; there is no second try with another one::

    header X-Auth-Token, header St2-Api-Key, query x-auth-token, query st2-api-key, cookie auth-token

With ``[auth] enable`` off everybody is the user that actions run as. OPTIONS, unknown paths and routes that are
:func:`public` are answered to everybody.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request
from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2common.auth.authenticator import Authenticator
from st2common.auth.identity import Identity, Kind
from st2common.clock import now_us
from st2common.errors import Unauthorized
from st2common.http import query
from st2common.models.connection import Document

LOG = logging.getLogger(__name__)

COOKIE = "auth-token"

#: Seconds between two looks whether the credential of an open stream is still good.
RECHECK_INTERVAL = 30.0

_CLIENT_GONE = "st2.client_gone"
_PUBLIC = "_st2_public"
_PROOF = "_st2_proof"

View = TypeVar("View", bound=Callable[..., Any])


def public(view: View) -> View:
    """Marks a route that needs no credential."""
    setattr(view, _PUBLIC, True)
    return view


def takes_proof(proof: Callable[[], Identity | None]) -> Callable[[View], View]:
    """Marks a route whose requests can prove by themselves who sends them, in the place of a credential.

    ``proof`` gives who that is, or None where there is no proof; it raises Unauthorized for one that is wrong.
    """

    def mark(view: View) -> View:
        setattr(view, _PROOF, proof)
        return view

    return mark


def is_public(view: object) -> bool:
    return bool(getattr(view, _PUBLIC, False))


def identity() -> Identity:
    """Who sent the current request."""
    found: Identity = g.identity
    return found


def location() -> str:
    """Where the credential of the current request was, as clients are told."""
    return g.credential.location if g.credential else "none"


@dataclass(frozen=True, repr=False)
class Credential:
    kind: Kind
    secret: str
    #: ``header`` or ``query``; a cookie is one of the headers.
    location: str
    from_cookie: bool = False


def shown_credential() -> Credential | None:
    """The credential that decides. An empty value counts as none."""
    headers, cookies = request.headers, request.cookies
    places = (
        Credential(Kind.TOKEN, headers.get("X-Auth-Token") or "", "header"),
        Credential(Kind.API_KEY, headers.get("St2-Api-Key") or "", "header"),
        Credential(Kind.TOKEN, query.text("x-auth-token") or "", "query"),
        Credential(Kind.API_KEY, query.text("st2-api-key") or "", "query"),
        Credential(Kind.TOKEN, cookies.get(COOKIE) or "", "header", from_cookie=True),
    )
    return next((place for place in places if place.secret), None)


class Authentication:
    """Added to an application whose every route it then guards."""

    def __init__(
        self, config: cfg.ConfigOpts, database: Database[Document], recheck_interval: float = RECHECK_INTERVAL
    ) -> None:
        self._config = config
        self._authenticator = Authenticator(database)
        self._recheck_interval = recheck_interval

    def guard(self, app: Flask) -> None:
        app.before_request(self._before)
        app.after_request(self._after)

    def _before(self) -> None:
        g.credential = None
        if not self._config.auth.enable:
            g.identity = Identity(str(self._config.system_user.user), Kind.NONE)
            return
        if request.method == "OPTIONS" or request.routing_exception is not None or _asks_for_public():
            return
        credential = shown_credential()
        if credential is None and (proven := _proven()):
            g.identity = proven
            return
        if credential is None:
            raise Unauthorized("Unauthorized - One of Token or API key required.")
        found = self._authenticator.identity(credential.kind, credential.secret)
        if found is None:
            raise Unauthorized(f"Unauthorized - Invalid or expired {credential.kind}.")
        g.credential, g.identity = credential, found
        watch = Watch(self._authenticator, credential, self._recheck_interval)
        g.watch = watch
        client_gone = request.environ.get(_CLIENT_GONE, lambda: False)
        # A silent stream asks this every few seconds.
        request.environ[_CLIENT_GONE] = lambda: watch.check() or client_gone()

    def _after(self, response: Response) -> Response:
        if g.get("credential") is None:
            return response
        if response.is_streamed and response.content_length is None:
            response.response = g.watch.over(response.response, response)
        self._set_cookie(response, g.credential, g.identity)
        return response

    def _set_cookie(self, response: Response, credential: Credential, who: Identity) -> None:
        """A browser that shows a token once need not keep it where scripts can read it."""
        if credential.kind is not Kind.TOKEN or credential.from_cookie or who.expires is None:
            return
        same_site = self._config.api.auth_cookie_same_site
        response.set_cookie(
            COOKIE,
            credential.secret,
            max_age=max(0, (who.expires - now_us()) // 1_000_000),
            secure=self._config.api.auth_cookie_secure,
            httponly=True,
            samesite=None if same_site == "unset" else same_site.capitalize(),
        )


def _asks_for_public() -> bool:
    return is_public(current_app.view_functions.get(endpoint()))


def _proven() -> Identity | None:
    proof: Callable[[], Identity | None] = getattr(current_app.view_functions[endpoint()], _PROOF, lambda: None)
    return proof()


def endpoint() -> str:
    """Which route the current request has found; empty: none."""
    return request.endpoint or ""


class CredentialEnded(ConnectionResetError):
    """To the server: cut the connection. A stream that merely stopped would look as if it had come to its end."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the credential of this stream is no longer valid, or has other rights")


class Watch:
    """Over the credential of one stream."""

    def __init__(self, authenticator: Authenticator, credential: Credential, interval: float) -> None:
        self._authenticator = authenticator
        self._credential = credential
        self._interval = interval
        self._checked_at = time.monotonic()
        self._conditions: list[Callable[[], bool]] = []

    def also(self, condition: Callable[[], bool]) -> None:
        """Cut the stream as well when ``condition`` is no longer true. It may raise PyMongoError: nobody knows."""
        self._conditions.append(condition)

    def check(self) -> bool:
        """Always False: whoever asks goes on.

        Raises:
            CredentialEnded: the credential was revoked or disabled, or has expired; or the rights have changed.
        """
        if time.monotonic() - self._checked_at < self._interval:
            return False
        self._checked_at = time.monotonic()
        try:
            still = self._authenticator.identity(self._credential.kind, self._credential.secret)
            same_rights = all(condition() for condition in self._conditions)
        except PyMongoError as error:
            LOG.warning("Whether the credential of a stream is still valid is not known yet: %s", error)
            return False
        if still is None:
            LOG.info("A stream is cut: its credential is no longer valid")
            raise CredentialEnded
        if not same_rights:
            LOG.info("A stream is cut: the rights of its user have changed")
            raise CredentialEnded
        return False

    def over(self, pieces: Iterable[Any], response: Response) -> Iterator[Any]:
        """A busy stream is checked between two pieces."""
        close = getattr(pieces, "close", None)
        if close:
            response.call_on_close(close)
        for piece in pieces:
            self.check()
            yield piece
