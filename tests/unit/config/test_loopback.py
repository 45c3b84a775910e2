from __future__ import annotations

import pytest
from oslo_config import cfg

from st2common import config as configuration
from st2common.config.loopback import require_loopback
from st2common.errors import ConfigError


def config(host: str, enable: bool) -> cfg.ConfigOpts:
    options = configuration.load([], "st2test")
    options.set_override("enable", enable, group="auth")
    options.set_override("host", host, group="api")
    return options


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_addresses_are_let_through(host: str) -> None:
    require_loopback(config(host, enable=False), "api")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", "127.0.0.1.nip.io"]
)
def test_everything_else_is_refused_without_authentication(host: str) -> None:
    with pytest.raises(ConfigError, match=r"\[api\] host"):
        require_loopback(config(host, enable=False), "api")
    require_loopback(config(host, enable=True), "api")
