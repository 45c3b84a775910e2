"""Fetching over HTTP in the name of an administrator's list, without being led to where nobody meant to go.

Connections go to an address that was looked up and checked, not to a name that may mean something else a moment later;
so do those of redirects.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit
from urllib.request import (
    FileHandler,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
    getproxies,
)

_KINDS = (ProxyHandler, UnknownHandler, FileHandler, HTTPDefaultErrorHandler, HTTPRedirectHandler, HTTPErrorProcessor)


class AddressRefused(OSError):
    """The host is not one to be asked."""


def fetch(request: Request, timeout: float, max_bytes: int) -> bytes:
    """The first ``max_bytes`` of the answer; ``timeout``: seconds for each step.

    The request's own host, and a proxy's, may be anywhere but at a link-local address, where clouds keep their secrets.
    A redirect may lead to public addresses only. Through a proxy it is the proxy that decides about redirects.

    Raises:
        OSError, ValueError: there is no answer.
    """
    named = {urlsplit(address).hostname for address in (request.full_url, *getproxies().values())}
    opener = OpenerDirector()
    # Not all that urllib knows: a redirect to ftp would pass the check by.
    for handler in (*(kind() for kind in _KINDS), *(kind(_connector(named)) for kind in (_Http, _Https))):
        opener.add_handler(handler)
    with opener.open(request, timeout=timeout) as answer:
        content: bytes = answer.read(max_bytes)
    return content


def _connector(named: set[str | None]) -> Any:
    def connect(address: tuple[str, int], timeout: float, source_address: Any = None) -> socket.socket:
        host, port = address
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        numeric = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for each in numeric:
            _check(host, each, anywhere=host in named)
        failure: OSError = AddressRefused(f"{host} has no address")
        for each in numeric:
            try:
                return socket.create_connection((each, port), timeout, source_address)
            except OSError as error:
                failure = error
        raise failure

    return connect


def _check(host: str, numeric: str, *, anywhere: bool) -> None:
    """
    Raises:
        AddressRefused: nobody is to be asked there.
    """
    address = ipaddress.ip_address(numeric.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        raise AddressRefused(f"{host} is {numeric}, a link-local address or none of a host")
    if not (anywhere or address.is_global):
        raise AddressRefused(f"A redirect leads to {host}, which is {numeric}: not a public address")


class _Http(HTTPHandler):
    def __init__(self, connect: Any) -> None:
        super().__init__()
        self._connect = connect

    def http_open(self, request: Request) -> Any:
        return self.do_open(lambda *given, **more: _through(http.client.HTTPConnection(*given, **more), self), request)


class _Https(HTTPSHandler):
    def __init__(self, connect: Any) -> None:
        super().__init__()
        self._connect = connect

    def https_open(self, request: Request) -> Any:
        return self.do_open(lambda *given, **more: _through(http.client.HTTPSConnection(*given, **more), self), request)


def _through(connection: http.client.HTTPConnection, handler: _Http | _Https) -> http.client.HTTPConnection:
    # What http.client itself connects with; the name of the host stays that of the certificate.
    connection._create_connection = handler._connect  # type: ignore[attr-defined]
    return connection
