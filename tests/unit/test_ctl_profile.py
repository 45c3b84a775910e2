"""The development profile: a configuration that works for this user, written once."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

import pytest

from st2ctl import profile
from st2ctl.installation import Installation, find


def test_the_written_configuration_loads(tmp_path: Path) -> None:
    installation = find(None, tmp_path / "var")
    config = installation.config
    assert installation.development
    assert config.actionrunner.stream_output
    assert config.system_user.user == getpass.getuser()
    assert installation.state_path == tmp_path / "var"
    assert installation.logs == tmp_path / "var" / "logs"
    assert config.database.port != config.api.port
    assert f":{config.api.port}" in installation.api_url


def test_it_is_written_once(tmp_path: Path) -> None:
    first = Installation.in_directory(tmp_path)
    text = first.conf.read_text() + "\n[garbagecollector]\ncollection_interval = 17\n"
    first.conf.write_text(text)
    again = Installation.in_directory(tmp_path)
    assert again.conf.read_text() == text
    assert again.config.garbagecollector.collection_interval == 17


def test_ports_that_are_taken_are_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        assert not profile.port_is_free("127.0.0.1", busy)
        [picked] = profile.pick_ports(busy)
        assert picked != busy
    assert profile.port_is_free("127.0.0.1", picked)


def test_picked_ports_differ() -> None:
    assert len(set(profile.pick_ports(*[None] * 50))) == 50


def test_the_environment_names_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "st2.conf"
    conf.write_text(f"[system]\nstate_path = {tmp_path}/state\n")
    monkeypatch.setenv("ST2_CONF", str(conf))
    installation = find(None, None)
    assert installation.conf == conf
    assert not installation.development
