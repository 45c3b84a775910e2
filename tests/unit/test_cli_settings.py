"""Addresses and credentials: command line, then environment, then file."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from st2cli.errors import CommandError
from st2cli.settings import load
from st2cli.times import in_zone, short

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
    assert load({"config_file": str(named), "skip_config": True}, {}, home).api_url == "http://127.0.0.1:9101/v1"


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
    # One that ends at once would not be good any more when it arrives.
    cached.write_text(json.dumps({"token": "cached", "expire_timestamp": time.time() + 5}))
    assert load({}, {}, home).headers == {"Authorization": "Basic cHJveHk6c2VjcmV0"}
    (home / ".st2" / "config").write_text("[credentials]\nusername = ada\n[cli]\ncache_token = False\n")
    cached.write_text(json.dumps({"token": "cached", "expire_timestamp": time.time() + 60}))
    without = load({}, {}, home)
    assert (without.headers, without.token_directory) == ({}, None)


def test_files_with_secrets_that_others_can_read_are_named(home: Path) -> None:
    config, cached = home / ".st2" / "config", home / ".st2" / "token-ada"
    config.write_text("[credentials]\nusername = ada\npassword = secret\n")
    cached.write_text(json.dumps({"token": "cached", "expire_timestamp": time.time() + 60}))
    config.chmod(0o640)
    cached.chmod(0o604)
    assert [warning.partition(",")[0] for warning in load({}, {}, home).warnings] == [
        f"Others can read {config}",
        f"Others can read {cached}",
    ]
    config.chmod(0o600)
    cached.chmod(0o600)
    assert load({}, {}, home).warnings == ()


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("cache_token = perhaps", r"\[cli\] cache_token .* perhaps"),
        ("timezone = Mars/Base", "'Mars/Base' is no time zone"),
    ],
)
def test_a_wrong_value_is_named(home: Path, content: str, wrong: str) -> None:
    (home / ".st2" / "config").write_text(f"[cli]\n{content}\n")
    with pytest.raises(CommandError, match=wrong):
        load({}, {}, home)


def test_times_in_the_zone_of_the_file(home: Path) -> None:
    (home / ".st2" / "config").write_text("[cli]\ntimezone = Asia/Kolkata\n")
    zone = load({}, {}, home).zone
    assert in_zone("2026-01-31T10:00:00.123456Z", zone) == "2026-01-31T15:30:00.123456+05:30"
    assert short(in_zone("2026-01-31T10:00:00.123456Z", zone)) == "2026-01-31 15:30:00+05:30"
    assert in_zone("yesterday", zone) == "yesterday"
    (home / ".st2" / "config").write_text("[cli]\ntimezone = UTC\n")
    assert load({}, {}, home).zone is None
    assert in_zone("2026-01-31T10:00:00.123456Z", None) == "2026-01-31T10:00:00.123456Z"
