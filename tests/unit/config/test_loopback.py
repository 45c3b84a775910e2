from __future__ import annotations

import pytest

from st2common.config.loopback import require_loopback
from st2common.errors import ConfigError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_addresses_are_let_through(host: str) -> None:
    require_loopback("api", host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "", "example.com", "localhost.example.com", "127.0.0.1.nip.io"]
)
def test_everything_else_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=r"\[api\] host"):
        require_loopback("api", host)
