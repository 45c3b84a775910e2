"""Addresses and credentials: command line, then environment, then file."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from st2cli.errors import CommandError
from st2cli.settings import load

_FILE = """\
[general]
base_url = http://file.example
[credentials]
api_key = key%of#file
[stream]
url = http://stream.example/v1/
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".st2").mkdir()
    return tmp_path


def test_without_anything_the_services_of_this_machine_are_meant(home: Path) -> None:
    settings = load({}, {}, home)
    assert (settings.api_url, settings.stream_url) == ("http://127.0.0.1:9101/v1", "http://127.0.0.1:9102/v1")
    assert settings.headers == {}


def test_the_nearest_word_wins(home: Path) -> None:
    (home / ".st2" / "config").write_text(_FILE)
    from_file = load({}, {}, home)
    assert from_file.api_url == "http://file.example:9101/v1"
    assert from_file.stream_url == "http://stream.example/v1"
    assert from_file.headers == {"St2-Api-Key": "key%of#file"}

    environ = {"ST2_BASE_URL": "http://env.example", "ST2_STREAM_URL": "http://env.example/s", "ST2_AUTH_TOKEN": "t"}
    from_environment = load({}, environ, home)
    assert from_environment.api_url == "http://env.example:9101/v1"
    assert from_environment.stream_url == "http://env.example/s"
    assert from_environment.headers == {"X-Auth-Token": "t"}

    from_flags = load({"api_url": "http://flag.example", "api_key": "k", "token": None}, environ, home)
    assert from_flags.api_url == "http://flag.example"
    assert from_flags.headers == {"St2-Api-Key": "k"}


def test_the_file_can_be_named_or_skipped(home: Path, tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.write_text("[api]\nurl = http://named.example\n")
    assert load({}, {"ST2_CONFIG_FILE": str(named)}, home).api_url == "http://named.example"
    skipping = {"ST2_CONFIG_FILE": str(named), "ST2_CLI_SKIP_CONFIG": "1"}
    assert load({}, skipping, home).api_url == "http://127.0.0.1:9101/v1"


@pytest.mark.parametrize("content", ["no section\n", "[general\n", "[a]\nx=1\nx=2\n"])
def test_a_broken_file_is_named(home: Path, content: str) -> None:
    (home / ".st2" / "config").write_text(content)
    with pytest.raises(CommandError, match=r"\.st2/config cannot be read"):
        load({}, {}, home)


def test_a_named_file_that_is_missing_is_an_error(home: Path) -> None:
    with pytest.raises(CommandError, match="does not exist"):
        load({"config_file": "/does/not/exist"}, {}, home)


def test_the_token_of_an_earlier_login_is_used_while_it_is_good(home: Path) -> None:
    (home / ".st2" / "config").write_text("[credentials]\nusername = ada\nbasic_auth = proxy:secret\n")
    cached = home / ".st2" / "token-ada"
    cached.write_text(json.dumps({"token": "cached", "expire_timestamp": time.time() + 60}))
    assert load({}, {}, home).headers == {"Authorization": "Basic cHJveHk6c2VjcmV0", "X-Auth-Token": "cached"}
    cached.write_text(json.dumps({"token": "cached", "expire_timestamp": time.time() - 60}))
    assert load({}, {}, home).headers == {"Authorization": "Basic cHJveHk6c2VjcmV0"}
