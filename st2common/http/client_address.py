"""Where a request comes from."""

from __future__ import annotations

from flask import request

_LOOPBACK = ("127.0.0.1", "::1")


def client_address() -> str:
    """Of the client, or of what our own proxy on this host says that the client's is."""
    address = request.remote_addr or ""
    forwarded = request.headers.get("X-Forwarded-For", "")
    return forwarded.rpartition(",")[2].strip() if address in _LOOPBACK and forwarded else address
