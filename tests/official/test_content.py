"""Actions, runners and the datastore, through the official client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.official.client import Client


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The file of an action."""
    return write(tmp_path, description="Says hello")


def write(directory: Path, **more: Any) -> Path:
    action = {"name": "hello", "pack": "default", "runner_type": "local-shell-cmd", "enabled": True, "entry_point": ""}
    file = directory / "action.json"
    file.write_text(json.dumps({**action, "parameters": {"cmd": {"default": "echo hello"}}, **more}))
    return file


def test_actions_are_listed_and_shown(st2: Client) -> None:
    listed = st2("action", "list", "-j").json()
    assert {"core.local", "core.remote", "core.http", "packs.install"} <= {action["ref"] for action in listed}
    assert set(listed[0]) == {"ref", "pack", "description"}
    assert {action["pack"] for action in st2("action", "list", "-p", "core", "-j").json()} == {"core"}
    shown = st2("action", "get", "core.local", "-j").json()
    assert (shown["uid"], shown["runner_type"]) == ("action:core:local", "local-shell-cmd")
    assert shown["parameters"]["cmd"]["required"] is True
    assert st2("action", "get", "no.such", code=1).out.startswith('Action "no.such" is not found.\n')


def test_an_action_from_its_file_to_its_end(st2: Client, written: Path) -> None:
    assert st2("action", "create", str(written), "-j").json()["ref"] == "default.hello"
    again = st2("action", "create", str(written), code=2).out
    assert again.startswith("ERROR: 409 Client Error: Conflict\nMESSAGE: ")
    assert st2("action", "disable", "default.hello", "-j").json()["enabled"] is False
    assert "disabled" in st2("run", "default.hello", code=1).out
    assert st2("action", "enable", "default.hello", "-j").json()["enabled"] is True
    changed = st2("action", "update", "default.hello", str(write(written.parent, description="Other")), "-j").json()
    assert changed["description"] == "Other"
    assert st2.ran("default.hello")["result"]["stdout"] == "hello"

    assert st2("action", "clone", "default.hello", "default", "hi", "-j").json()["ref"] == "default.hi"
    asked = st2("action", "clone", "default.hello", "default", "hi", answer="n\n")
    assert "already exists. Do you want to overwrite?" in asked.out
    assert st2("action", "clone", "-f", "default.hello", "default", "hi", "-j").json()["ref"] == "default.hi"

    deleted = "has been successfully deleted"
    assert deleted in st2("action", "delete", "-r", "default.hi", answer="y\n").out
    assert deleted in st2("action", "delete", "default.hello").out
    assert 'Action "default.hello" is not found.' in st2("action", "delete", "default.hello").out


def test_an_action_that_cannot_be(st2: Client, tmp_path: Path) -> None:
    refused = st2("action", "create", str(write(tmp_path, runner_type="no-such")), code=2).out
    assert refused.startswith("ERROR: 400 Client Error: Bad Request\nMESSAGE: ")


def test_runners(st2: Client) -> None:
    names = {runner["name"] for runner in st2("runner", "list", "-j").json()}
    assert {"local-shell-cmd", "python-script", "remote-shell-cmd", "http-request", "noop", "inquirer"} <= names
    assert st2("runner", "disable", "noop", "-j").json()["enabled"] is False
    assert st2("runner", "enable", "noop", "-j").json()["enabled"] is True


def test_keys(st2: Client) -> None:
    stored = st2("key", "set", "k", "v", "-j").json()
    assert (stored["name"], stored["value"], stored["scope"]) == ("k", "v", "st2kv.system")
    assert st2("key", "get", "k", "-j").json()["value"] == "v"
    assert "k" in [key["name"] for key in st2("key", "list", "-j").json()]
    assert "successfully deleted" in st2("key", "delete", "k").out
    assert st2("key", "delete", "k", code=2).out == 'Key Value Pair "k" is not found.\n\n'
    assert 'Key Value Pair "k" is not found.' in st2("key", "get", "k", code=1).out


def test_secret_keys_of_a_user(st2: Client) -> None:
    stored = st2("key", "set", "-e", "-l", "3000", "-s", "user", "hidden", "s3cr3t", "-j").json()
    assert stored["scope"] == "st2kv.user"
    shown = st2("key", "get", "-s", "user", "hidden", "-j").json()
    assert (shown["secret"], shown["encrypted"]) == (True, True)
    assert "s3cr3t" not in json.dumps([stored, shown])
    assert shown["expire_timestamp"].endswith("Z")
    clear = st2("key", "get", "-s", "user", "-d", "hidden", "-j").json()
    assert (clear["value"], clear["encrypted"]) == ("s3cr3t", False)
    assert "hidden" in [key["name"] for key in st2("key", "list", "-s", "all", "-j").json()]


def test_keys_from_a_file(st2: Client, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps([{"name": "file.a", "value": "1"}, {"name": "file.b", "value": {"x": 1}}]))
    assert st2("key", "load", "-c", str(file)).code == 0
    assert json.loads(st2("key", "get", "file.b", "-j").json()["value"]) == {"x": 1}
    assert "file.a, file.b" in st2("key", "delete_by_prefix", "-p", "file.").out
