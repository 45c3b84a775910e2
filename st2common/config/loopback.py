"""Until the platform knows who calls, it talks to its own host only."""

from __future__ import annotations

import ipaddress

from st2common.errors import ConfigError


def require_loopback(group: str, host: str) -> None:
    """Refuse to listen where other hosts can reach a service that asks nobody who they are.

    Raises:
        ConfigError: ``host`` is no loopback address. A name other than ``localhost`` counts as none: what it
            resolves to may change.
    """
    if host == "localhost":
        return
    try:
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return
    except ValueError:
        pass
    raise ConfigError(
        f"[{group}] host = {host}: there is no authentication yet, so this service listens on loopback addresses only "
        "(127.0.0.1, ::1 or localhost)"
    )
