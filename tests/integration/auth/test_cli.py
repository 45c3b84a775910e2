"""``st2 login``, ``auth``, ``whoami`` and ``apikey`` against the authentication service and the API."""

from __future__ import annotations

import io
import json
import re
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database
from werkzeug.serving import make_server

from st2api.auth.application import make_app
from st2cli import shell
from st2common.auth.tokens import Tokens

Captured = pytest.CaptureFixture[str]
St2 = Callable[..., int]


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def home(
    app: Flask,
    config: cfg.ConfigOpts,
    database: Database[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """The home directory of somebody whose environment names the services."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("ST2_AUTH_TOKEN", "ST2_API_KEY", "ST2_CONFIG_FILE", "ST2_CLI_SKIP_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with served(app) as api, served(make_app(config, database)) as auth:
        monkeypatch.setenv("ST2_API_URL", f"{api}/v1")
        monkeypatch.setenv("ST2_AUTH_URL", auth)
        yield home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_login_is_remembered(home: Path, capsys: Captured) -> None:
    config = home / ".st2" / "config"
    config.parent.mkdir()
    config.write_text(
        "# mine\n[general]\napi_version = v1\n[credentials]\n# who\nusername = old\npassword = older\n[cli]\n"
    )
    assert shell.main(["login", "ada", "-p", "secret", "-l", "60"]) == 0
    assert capsys.readouterr().out.startswith('Logged in as "ada" until 2')
    kept = home / ".st2" / "token-ada"
    assert set(json.loads(kept.read_text())) == {"token", "expire_timestamp"}
    assert mode(kept) == mode(config) == 0o600
    assert config.read_text() == "# mine\n[general]\napi_version = v1\n[credentials]\nusername = ada\n# who\n[cli]\n"
    assert shell.main(["whoami"]) == 0
    told = capsys.readouterr().out
    assert 'logged in as "ada"' in told
    assert "authentication token" in told


def test_a_kept_password_renews_the_token(home: Path, tokens: Tokens, capsys: Captured) -> None:
    assert shell.main(["login", "ada", "-p", "secret", "-w"]) == 0
    kept = home / ".st2" / "token-ada"
    expired = {**json.loads(kept.read_text()), "expire_timestamp": 1}
    kept.write_text(json.dumps(expired))
    assert shell.main(["whoami", "-j"]) == 0
    assert '"username": "ada"' in capsys.readouterr().out
    renewed = json.loads(kept.read_text())
    assert renewed["token"] != expired["token"]
    assert tokens.identity(renewed["token"])


def test_a_kept_password_replaces_a_token_that_is_refused(home: Path, tokens: Tokens, capsys: Captured) -> None:
    assert shell.main(["login", "ada", "-p", "secret", "-w"]) == 0
    kept = home / ".st2" / "token-ada"
    refused = {**json.loads(kept.read_text()), "token": "0" * 32}
    kept.write_text(json.dumps(refused))
    capsys.readouterr()
    assert shell.main(["key", "set", "region", "north", "--debug"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert [line.rpartition("/v1")[2] for line in told] == ["/keys/region: 401", "/keys/region: 200"]
    assert tokens.identity(json.loads(kept.read_text())["token"])
    # Without a password there is nothing to be done but to say so.
    config = home / ".st2" / "config"
    config.write_text(re.sub("password = .*", "", config.read_text()))
    kept.write_text(json.dumps(refused))
    assert shell.main(["action", "list"]) == 1
    assert "`st2 login <user>` first" in capsys.readouterr().err
    assert shell.main(["login", "ada", "-p", "secret"]) == 0
    assert "is used before this login" not in capsys.readouterr().err


def test_what_is_in_force_is_shown_without_secrets(home: Path, capsys: Captured) -> None:
    assert shell.main(["--api-key", "secret-key", "--api-url", "http://named.example/v1", "--print-config"]) == 3
    shown = capsys.readouterr().out
    assert "http://named.example/v1" in shown
    assert "St2-Api-Key" in shown
    assert "secret-key" not in shown


def test_nobody(home: Path, capsys: Captured) -> None:
    assert shell.main(["whoami"]) == 0
    assert capsys.readouterr().err.startswith("Nobody: Unauthorized")
    assert shell.main(["action", "list"]) == 1
    assert "`st2 login <user>` first" in capsys.readouterr().err


def test_a_token_for_a_script(home: Path, tokens: Tokens, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hopper\n"))
    assert shell.main(["auth", "grace", "-t"]) == 0
    token = capsys.readouterr().out.strip()
    known = tokens.identity(token)
    assert known
    assert known.user == "grace"
    assert not (home / ".st2").exists()
    assert shell.main(["auth", "grace", "-p", "hopper", "-j"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"id", "user", "token", "expiry", "metadata"}


def test_a_wrong_password(home: Path, capsys: Captured) -> None:
    for word in ("auth", "login"):
        assert shell.main([word, "ada", "-p", "wrong-one"]) == 1
        error = capsys.readouterr().err
        assert "Invalid or missing credentials" in error
        assert "wrong-one" not in error
    assert shell.main(["login", "-p", "x"]) == 1
    assert "Name the user" in capsys.readouterr().err
    assert not (home / ".st2").exists()


def test_the_life_of_an_api_key(
    home: Path, client: FlaskClient, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.main(["login", "ada", "-p", "secret"])
    capsys.readouterr()
    assert shell.main(["apikey", "create", "-k", "-m", '{"used_by": "CI"}']) == 0
    key = capsys.readouterr().out.strip()
    assert shell.main(["apikey", "list", "-j"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["user"], listed["metadata"], listed["enabled"]) == ("ada", {"used_by": "CI"}, True)

    def who() -> int:
        return client.get("/v1/user", headers={"St2-Api-Key": key}).status_code

    assert who() == 200
    assert shell.main(["apikey", "disable", listed["id"]]) == 0
    assert who() == 401
    assert shell.main(["apikey", "enable", listed["id"]]) == 0
    assert who() == 200
    capsys.readouterr()
    assert shell.main(["apikey", "get", listed["id"], "--show-secrets", "-j"]) == 0
    dumped = capsys.readouterr().out
    assert shell.main(["apikey", "delete", listed["id"]]) == 0
    assert who() == 401
    for verb, code in (("get", 1), ("enable", 1), ("disable", 1), ("delete", 2)):
        assert shell.main(["apikey", verb, listed["id"]]) == code
    file = home / "keys.json"
    file.write_text(dumped)
    for _ in range(2):
        assert shell.main(["apikey", "load", str(file)]) == 0
    assert who() == 200
    monkeypatch.setenv("ST2_API_KEY", key)
    capsys.readouterr()
    assert shell.main(["whoami"]) == 0
    assert "Authentication method: API key" in capsys.readouterr().out
    assert shell.main(["apikey", "list", "-u", "grace"]) == 0
    assert capsys.readouterr().out == "There are no API keys.\n"


def test_a_key_that_cannot_be_made(home: Path, capsys: Captured) -> None:
    assert shell.main(["apikey", "create"]) == 2
    with pytest.raises(SystemExit) as ended:
        shell.main(["apikey", "create", "-m", "[]"])
    assert ended.value.code == 2
