"""Logging in, tokens and API keys, through the official client; and what works with them."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.official.client import Client
from tests.official.conftest import PASSWORD, USER

pytestmark = pytest.mark.full

REFUSED = "ERROR: 401 Client Error: Unauthorized\nMESSAGE: "


def test_login_and_what_it_leaves_at_home(stranger: Client) -> None:
    assert stranger("action", "list", code=1).out.startswith(REFUSED)
    # Whoever is nobody is told so, and it is no error.
    assert "Currently logged in" not in stranger("whoami").out
    assert "Failed to log in" in stranger("login", USER, "-p", "wrong", code=1).out
    assert f"Logged in as {USER}\n" in stranger("login", USER, "-p", PASSWORD).out
    home = Path(stranger.environment["HOME"]) / ".st2"
    assert set(json.loads((home / f"token-{USER}").read_text())) == {"token", "expire_timestamp"}
    assert PASSWORD not in (home / "config").read_text()
    who = stranger("whoami").out
    assert f'Currently logged in as "{USER}".' in who
    assert "Authentication method: authentication token" in who
    assert "Enabled: False" in who


def test_executions_and_packs_of_somebody_who_has_logged_in(ada: Client) -> None:
    ran = ada("run", "--tail", "core.local", "cmd=echo one")
    assert "has completed (status=succeeded)" in ran.out
    assert f"context.user: {USER}" in ran.out
    assert ada("execution", "tail").out.startswith("one\n")
    assert ada("execution", "list", "-n", "1", "-j").json()[0]["context"]["user"] == USER
    ada("key", "set", "mine", "1", "-s", "user")
    assert ada("key", "get", "mine", "-s", "user", "-j").json()["value"] == "1"
    # What a proxy in between may ask for says nothing to the API.
    assert "core.local" in ada("--basic-auth", "proxy:word", "action", "list").out
    assert "admin" in [role["name"] for role in ada("role", "list", "-j").json()]
    assert ada("role-assignment", "list").out == "No matching items found\n"


def test_both_commands_use_one_login(ada: Client) -> None:
    ours = replace(ada, program=Path(sys.executable).with_name("st2"))
    assert USER in ours("whoami").out
    assert "has completed" in ours("run", "--tail", "core.local", "cmd=true").out
    ours("login", USER, "-p", PASSWORD)
    assert f'Currently logged in as "{USER}".' in ada("whoami").out


def test_a_token_from_the_environment_and_from_the_command_line(stranger: Client) -> None:
    [token] = re.findall(r"token +\| ([0-9a-f]{32}) ", stranger("auth", USER, "-p", PASSWORD, "-l", "60").out)
    named = stranger.having(ST2_AUTH_TOKEN=token)
    assert "has completed (status=succeeded)" in named("run", "--tail", "core.local", "cmd=true").out
    assert "core.local" in stranger("action", "list", "-t", token).out
    refused = stranger("auth", USER, "-p", PASSWORD, "-l", "999999999", code=1).out
    assert "TTL specified 999999999 is greater than max allowed" in refused
    assert stranger("action", "list", "-t", "0" * 32, code=1).out.startswith(REFUSED)


def test_an_api_key(ada: Client, program: Path, tmp_path: Path) -> None:
    key = ada("apikey", "create", "-k", "-m", '{"used_by": "a test"}').out.strip()
    assert key not in ada("apikey", "list", "-d").out
    [listed] = [entry for entry in ada("apikey", "list", "-j").json() if entry["metadata"]]
    machine = ada.having(HOME=str(tmp_path / "machine"), ST2_API_KEY=key)
    ran = machine("run", "--tail", "core.local", "cmd=echo one").out
    assert f"context.user: {USER}" in ran
    assert "has completed (status=succeeded)" in ran
    assert "Authentication method: API key" in machine("whoami").out
    assert ada("apikey", "disable", listed["id"], "-j").json()["enabled"] is False
    assert machine("action", "list", code=1).out.startswith(REFUSED)
    assert ada("apikey", "enable", listed["id"], "-j").json()["enabled"] is True
    assert ada("apikey", "get", listed["id"], "-j").json()["key_hash"] == "********"
    assert "successfully deleted" in ada("apikey", "delete", listed["id"]).out


def test_a_key_and_a_token_at_once(ada: Client) -> None:
    key = ada("apikey", "create", "-k").out.strip()
    assert "has completed" in ada.having(ST2_API_KEY=key)("run", "--tail", "core.local", "cmd=true").out


@pytest.mark.parametrize("path", ["/v1", "/auth/v1"])
def test_the_paths_of_the_authentication_service(stranger: Client, path: str) -> None:
    at = stranger.having(ST2_AUTH_URL=stranger.environment["ST2_AUTH_URL"] + path)
    assert "Logged in" in at("login", USER, "-p", PASSWORD).out
