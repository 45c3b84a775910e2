"""Cross-origin rules: an exact-match allow list, and no change of state on behalf of a page from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Request, Response
from oslo_config import cfg

METHODS = "GET,POST,PUT,DELETE,OPTIONS"
ALLOW_HEADERS = "Content-Type,Authorization,X-Auth-Token,St2-Api-Key,X-Request-ID"
EXPOSE_HEADERS = "Content-Type,X-Limit,X-Total-Count,X-Request-ID"

#: Where the web clients of a developer's machine are served from; always allowed.
DEVELOPER_ORIGINS = ("http://127.0.0.1:3000", "http://localhost:8080", "http://127.0.0.1:8080")

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def allowed_origins(config: cfg.ConfigOpts) -> list[str]:
    """What the configuration allows, and where the API serves its own page, which reads the stream service's port."""
    host, port = config.api.host, config.api.port
    hosts = [f"[{host}]" if ":" in host else host]
    if host in ("127.0.0.1", "::1"):
        hosts.append("localhost")
    own = [f"http://{name}:{port}" for name in hosts]
    if config.auth.api_url:
        public = urlsplit(config.auth.api_url)
        own.append(f"{public.scheme}://{public.netloc}")
    return [*DEVELOPER_ORIGINS, *config.api.allow_origin, *own]


class CrossOrigin:
    """``origins`` are compared as whole strings. ``*`` allows every origin to read what needs no credentials.

    An origin is never reflected unless it is listed, ``null`` never is: with credentials allowed, reflecting would
    give any web page the user's rights.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = tuple(dict.fromkeys(origins))
        self._any = "*" in self._origins

    def refuses(self, request: Request) -> bool:
        """Whether a browser sends a change of state for a page of an origin that is neither ours nor allowed.

        Needed because such a request does its harm before the browser looks at the answer's headers.
        """
        origin = request.headers.get("Origin")
        if request.method in _SAFE_METHODS or origin is None or self._any or origin in self._origins:
            return False
        return origin.partition("://")[2] != request.host

    def decorate(self, request: Request, response: Response) -> None:
        headers = response.headers
        headers["Access-Control-Allow-Origin"] = self._allowed(request.headers.get("Origin"))
        headers["Access-Control-Allow-Methods"] = METHODS
        headers["Access-Control-Allow-Headers"] = ALLOW_HEADERS
        headers["Access-Control-Allow-Credentials"] = "true"
        headers["Access-Control-Expose-Headers"] = EXPOSE_HEADERS
        response.vary.add("Origin")

    def _allowed(self, origin: str | None) -> str:
        if origin is not None and origin in self._origins:
            return origin
        return "*" if self._any else self._origins[0]
