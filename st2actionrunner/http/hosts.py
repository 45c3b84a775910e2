"""Which hosts a request may reach, the hosts that it is redirected to included."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter


class HostRefused(requests.RequestException):
    """The rules of the action do not let a request go to this host."""


class HostRules:
    """Entries are names or addresses, each with a port if only that port is meant: ``::1``, ``example.com:8080``.

    A forbidden address also forbids every name that leads to it at the moment of the request.
    """

    def __init__(self, forbidden: Sequence[str], allowed: Sequence[str]) -> None:
        self._forbidden = {_normal_entry(entry) for entry in forbidden}
        self._allowed = {_normal_entry(entry) for entry in allowed}

    def check(self, url: str, proxied: bool) -> None:
        """Whether ``url`` may be asked for; through a proxy, which looks up names itself, only the name counts.

        Raises:
            HostRefused: it may not.
        """
        parts = urlsplit(url)
        host = _normal_host(parts.hostname or "")
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        named = {(host, None), (host, port)}
        if self._allowed and not named & self._allowed:
            raise HostRefused(f'URL "{url}" is not whitelisted')
        if not self._forbidden:
            return
        addresses = set() if proxied else {(address, at) for address in _addresses(host) for at in (None, port)}
        if (named | addresses) & self._forbidden:
            raise HostRefused(f'URL "{url}" is blacklisted')


class GuardedAdapter(HTTPAdapter):
    """Sends only what the rules allow. Each redirection is a request of its own here."""

    def __init__(self, rules: HostRules) -> None:
        self._rules = rules
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        url = request.url or ""
        proxied = bool(requests.utils.select_proxy(url, options.get("proxies")))
        self._rules.check(url, proxied)
        return super().send(request, *args, **options)


def _normal_entry(entry: str) -> tuple[str, int | None]:
    text = entry.strip()
    # An IPv6 address has colons too, and no port unless it stands in brackets.
    if text.count(":") > 1 and not text.startswith("["):
        return _normal_host(text), None
    parts = urlsplit(f"//{text}")
    try:
        return _normal_host(parts.hostname or ""), parts.port
    except ValueError:
        return _normal_host(text), None


def _normal_host(host: str) -> str:
    """One spelling for each host: lower case, punycode, the shortest form of an address; IPv4 where IPv6 hides it."""
    host = host.strip("[]").rstrip(".").lower()
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        return str(getattr(address, "ipv4_mapped", None) or address)
    with contextlib.suppress(UnicodeError):
        return host.encode("idna").decode()
    return host


def _addresses(host: str) -> set[str]:
    """The addresses that ``host`` leads to; none for one that does not exist, which the request itself will tell."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {_normal_host(str(entry[4][0])) for entry in found}
