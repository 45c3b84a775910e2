"""While the platform does not ask who calls, it talks to its own host only."""

from __future__ import annotations

import ipaddress

from oslo_config import cfg

from st2common.errors import ConfigError


def require_loopback(config: cfg.ConfigOpts, group: str) -> None:
    """Refuse to let other hosts reach the service of ``[group] host`` when it asks nobody who they are.

    Raises:
        ConfigError: authentication is off and the host is no loopback address. A name other than ``localhost`` counts
            as none: what it resolves to may change.
    """
    host = config[group].host
    if config.auth.enable or host == "localhost":
        return
    try:
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return
    except ValueError:
        pass
    raise ConfigError(
        f"[{group}] host = {host}: authentication is off ([auth] enable), so this service listens on loopback "
        "addresses only (127.0.0.1, ::1 or localhost)"
    )
