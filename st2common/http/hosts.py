"""Which names requests may use for a service that asks nobody who they are.

A web page can have its own name resolved to a loopback address ("DNS rebinding"): its browser then takes the service
for a part of the page's site and lets the page read answers and send commands. Such a request still carries the page's
name in its ``Host`` header.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Response, request
from oslo_config import cfg

from st2common.http.responses import fault


class KnownHosts:
    """The loopback names and addresses, and those of the configuration."""

    def __init__(self, config: cfg.ConfigOpts) -> None:
        urls = [config.webui.webui_base_url, config.auth.api_url, *config.api.allow_origin]
        self._any = "*" in config.api.allow_origin
        self._names = {name for url in urls if url and (name := _name_of(urlsplit(url).netloc))}
        self._names |= {config.api.host.strip("[]").lower(), config.stream.host.strip("[]").lower()}

    def knows(self, host: str) -> bool:
        """``host``: what a ``Host`` header has, with or without a port."""
        name = _name_of(host)
        # Browsers resolve *.localhost themselves, so nobody can give such a name another meaning.
        return (
            self._any or name in self._names or name == "localhost" or name.endswith(".localhost") or _is_loopback(name)
        )


def guard(app: Flask, config: cfg.ConfigOpts) -> None:
    """Refuse requests under other names as long as authentication is off."""
    known = KnownHosts(config)

    @app.before_request
    def refuse_unknown_host() -> Response | None:
        if config.auth.enable or known.knows(request.host):
            return None
        return fault(
            f'"{request.host}" is no name of this service. While authentication is off it answers to localhost, to '
            "loopback addresses, and to the hosts of [webui] webui_base_url, [auth] api_url and [api] allow_origin.",
            403,
        )


def _name_of(host: str) -> str:
    """``[::1]:9101`` -> ``::1``; empty where it is no host."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
