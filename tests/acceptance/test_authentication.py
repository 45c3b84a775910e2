"""A platform that asks who calls: log in, run, cancel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from passlib.hash import bcrypt

from st2ctl.profile import pick_ports
from tests.acceptance.platforms import Platform

# Seconds for one command on a loaded machine.
_TIMEOUT = 60


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(tmp_path / "var", ["standalone"])
    conf = platform.var / "st2.conf"
    assert not platform.config.auth.enable
    [port] = pick_ports(None)
    text = conf.read_text()
    on = text.replace("enable = False", "enable = True").replace(
        f"port = {platform.config.auth.port}", f"port = {port}"
    )
    conf.write_text(on)
    (platform.var / "htpasswd").write_text(f"ada:{bcrypt.using(rounds=4).hash('secret')}\n")
    try:
        started = platform.start()
        assert "Authentication is off" not in started
        yield platform
    finally:
        platform.kill_everything()


def test_a_user_logs_in_and_runs_an_action(platform: Platform, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in platform.environment.items() if name != "ST2_CLI_SKIP_CONFIG"},
        "ST2_AUTH_URL": f"http://127.0.0.1:{platform.config.auth.port}",
        "HOME": str(tmp_path),
    }

    def st2(*words: str) -> str:
        program = Path(sys.executable).with_name("st2")
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=_TIMEOUT, env=environment)
        return done.stdout + done.stderr

    assert "401 Client Error" in st2("action", "list")
    assert 'Logged in as "ada"' in st2("login", "ada", "-p", "secret")
    asks = 'cmd=curl -sS -H "X-Auth-Token: $ST2_ACTION_AUTH_TOKEN" $ST2_ACTION_API_URL/user'
    ran = st2("run", "--tail", "core.local", asks)
    assert '"username":"ada"' in ran
    assert "context.user: ada" in ran
    # Whoever stops the platform cancels it with a token of their own.
    left = st2("run", "-a", "core.local", "cmd=sleep 1000", "-j")
    stopped = platform.ctl("stop", "--cancel-actions").stdout
    assert f"Cancelled {json.loads(left)['id']}" in stopped
