"""Those who use the datastore through a real API: actions, and the command ``st2 key``."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from oslo_config import cfg
from werkzeug.serving import WSGIRequestHandler, make_server

from st2cli.shell import main
from st2common.datastore.crypto import CryptoKey

Captured = pytest.CaptureFixture[str]

ACTION = """
from st2common.runners.base_action import Action

class Mine(Action):
    def run(self):
        service = self.action_service
        assert service.get_value("name") is None
        assert service.set_value("name", 5) is True
        service.set_value("shared/key", "for all", local=False)
        service.set_value("secret", "shh", encrypt=True)
        service.set_value("soon gone", "v", ttl=60)
        found = {
            "own": service.get_value("name"),
            "shared": service.get_value("shared/key", local=False),
            "ciphertext": service.get_value("secret"),
            "secret": service.get_value("secret", decrypt=True),
            "listed": [item.name for item in service.list_values()],
            "by prefix": [item.value for item in service.list_values(prefix="n")],
            "a page": [item.name for item in service.list_values(local=False, limit=2, offset=1)],
            "user": service.get_user_info()["username"],
        }
        found["deleted"] = [service.delete_value("name"), service.delete_value("name")]
        return found
"""


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - its name in werkzeug
        """Tests are quiet."""


@pytest.fixture
def url(app: Flask, config: cfg.ConfigOpts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A running API with a key file, which the command line and actions know."""
    (tmp_path / "key.json").write_text(CryptoKey.generate().dump())
    config.set_override("encryption_key_path", str(tmp_path / "key.json"), group="keyvalue")
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/v1"
    monkeypatch.setenv("ST2_API_URL", address)
    monkeypatch.setenv("ST2_ACTION_API_URL", address)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ST2_AUTH_TOKEN", "ST2_API_KEY", "ST2_BASE_URL", "ST2_CONFIG_FILE", "ST2_ACTION_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_python_action_uses_the_datastore(url: str, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "my_action.py"
    file.write_text(ACTION)
    result = tmp_path / "result"
    request = {"file_path": str(file), "pack": "examples", "parameters": {}, "result_path": str(result)}
    ended = subprocess.run(
        [sys.executable, "-P", "-u", "-m", "st2common.runners.python_action"],
        input=json.dumps(request).encode(),
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    found = json.loads(result.read_text())["result"]
    ciphertext = found.pop("ciphertext")
    assert ciphertext.startswith("3030303030")
    assert found == {
        "own": "5",
        "shared": "for all",
        "secret": "shh",
        "listed": ["examples.Mine:name", "examples.Mine:secret", "examples.Mine:soon gone"],
        "by prefix": ["5"],
        "a page": ["examples.Mine:secret", "examples.Mine:soon gone"],
        "user": "stanley",
        "deleted": [True, False],
    }


def out(capsys: Captured, *words: str, code: int = 0) -> str:
    assert main(["key", *words]) == code
    return capsys.readouterr().out


def shown(capsys: Captured, *words: str) -> Any:
    return json.loads(out(capsys, *words, "-j"))


def test_set_get_list_and_delete(url: str, capsys: Captured) -> None:
    assert shown(capsys, "set", "k", "v")["value"] == "v"
    assert out(capsys, "get", "k").splitlines()[0].split() == ["Property", "Value"]
    secret = shown(capsys, "set", "p/w", "shh", "-e", "-l", "60", "-s", "user")
    assert (secret["secret"], secret["encrypted"], secret["user"]) == (True, True, "stanley")
    assert "expire_timestamp" in secret
    assert shown(capsys, "get", "p/w", "-s", "user", "--decrypt")["value"] == "shh"
    assert [item["name"] for item in shown(capsys, "list")] == ["k", "p/w"]
    assert [item["value"] for item in shown(capsys, "list", "-d", "--prefix", "p", "-n", "-1")] == ["shh"]
    assert shown(capsys, "list", "-s", "system", "--prefix", "x") == []
    assert out(capsys, "list", "--prefix", "x") == "There are no keys.\n"
    out(capsys, "delete", "p/w", "-s", "user")
    out(capsys, "delete", "k")
    assert shown(capsys, "list") == []


def test_what_is_not_there(url: str, capsys: Captured) -> None:
    for verb, code in (("get", 1), ("delete", 2)):
        assert main(["key", verb, "nokey"]) == code
        assert capsys.readouterr().err == 'ERROR: Key "nokey" is not found.\n'


def test_a_value_that_is_not_in_the_process_list(url: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from st2cli.shell import main; sys.exit(main())",
        "key",
        "set",
        "k",
        "-e",
    ]
    subprocess.run(command, input=b"line\n shh\n", check=True, capture_output=True)
    assert shown(capsys, "get", "k", "-d")["value"] == "line\n shh"


def test_values_that_are_encrypted_already(url: str, capsys: Captured) -> None:
    ciphertext = shown(capsys, "set", "k", "shh", "-e")["value"]
    assert shown(capsys, "set", "other", ciphertext, "--encrypted")["value"] == ciphertext
    assert shown(capsys, "get", "other", "-d")["value"] == "shh"
    with pytest.raises(SystemExit, match="2"):
        main(["key", "set", "k", "v", "-e", "--encrypted"])


def test_deleting_by_prefix_deletes_more_than_a_page(url: str, capsys: Captured, tmp_path: Path) -> None:
    items = [{"name": f"many.{number}", "value": "v"} for number in range(103)]
    (tmp_path / "keys.json").write_text(json.dumps([*items, {"name": "other", "value": "v"}]))
    assert len(shown(capsys, "load", str(tmp_path / "keys.json"))) == 104
    assert len(shown(capsys, "dump")) == 104
    assert out(capsys, "delete_by_prefix", "-p", "many.") == "Deleted 103 keys\n"
    assert [item["name"] for item in shown(capsys, "list")] == ["other"]
    assert main(["key", "delete_by_prefix", "-p", ""]) == 2


@pytest.mark.parametrize("form", ["-j", "-y"])
@pytest.mark.parametrize("decrypt", [[], ["--decrypt"]])
def test_what_is_dumped_can_be_loaded(
    url: str, capsys: Captured, tmp_path: Path, form: str, decrypt: list[str]
) -> None:
    main(["key", "set", "a", "5"])
    main(["key", "set", "b", "shh", "-e", "-l", "3600"])
    main(["key", "set", "mine", "ü", "-s", "user"])
    capsys.readouterr()
    before = shown(capsys, "list", "-d")
    dumped = out(capsys, "dump", form, *decrypt)
    assert ("shh" in dumped) is bool(decrypt)
    (tmp_path / "dump").write_text(dumped)
    for name, scope in (("a", "system"), ("b", "system"), ("mine", "user")):
        main(["key", "delete", name, "-s", scope])
    capsys.readouterr()
    out(capsys, "load", str(tmp_path / "dump"))
    after = shown(capsys, "list", "-d")
    changing = ("id", "expire_timestamp")
    assert [{k: v for k, v in item.items() if k not in changing} for item in after] == [
        {k: v for k, v in item.items() if k not in changing} for item in before
    ]
    assert "expire_timestamp" in after[1]
    assert shown(capsys, "get", "b")["encrypted"] is True


def test_loading_converts_only_when_told(url: str, capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(yaml.safe_dump([{"name": "good", "value": "v"}, {"name": "map", "value": {"a": [1, True]}}]))
    assert main(["key", "load", str(file)]) == 1
    assert "-c stores it as JSON" in capsys.readouterr().err
    assert shown(capsys, "list") == []
    out(capsys, "load", str(file), "-c")
    assert shown(capsys, "get", "map")["value"] == '{"a": [1, true]}'


def test_one_object_and_what_has_expired(url: str, capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text('{"name": "one", "value": "v", "ttl": 60, "uid": "x"}')
    assert "expire_timestamp" in shown(capsys, "load", str(file))[0]
    file.write_text('[{"name": "old", "value": "v", "expire_timestamp": "2017-08-31T11:51:06.961844Z"}]')
    assert shown(capsys, "load", str(file)) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "neither JSON nor YAML"),
        ("just text", "Item 1 of the file is no object"),
        ('[{"name": "a", "value": "v"}, {"name": "b"}]', "Item 2 of the file is no object with a name and a value."),
        ('{"name": "a", "value": "v", "expire_timestamp": "soon"}', "expire_timestamp is no time"),
    ],
)
def test_files_that_are_refused(url: str, capsys: Captured, tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    assert main(["key", "load", str(file)]) == 1
    assert complaint in capsys.readouterr().err
    assert shown(capsys, "list") == []
