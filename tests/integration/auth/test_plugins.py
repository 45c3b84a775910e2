"""Backends that are installed beside the platform."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from passlib.hash import apr_md5_crypt, bcrypt
from pymongo.database import Database

from st2api.auth.application import make_app
from st2common.models.roles import Roles

_PLUG_IN = """\
class Backend:
    def __init__(self, suffix):
        self._suffix = suffix

    def authenticate(self, username, password):
        return password == username + self._suffix
"""

_GROUPS = """
    def get_user_groups(self, username):
        return {"ada": ["cn=staff"]}[username]
"""


def install(directory: Path, name: str, value: str) -> None:
    """What an installer leaves of a package with one entry point."""
    metadata = directory / "plug_in-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-in\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[st2auth.backends.backend]\n{name} = {value}\n")


@pytest.mark.parametrize("name", ["mine", "flat_file"])
def test_a_plug_in_is_found_and_comes_before_our_own(
    config: cfg.ConfigOpts,
    database: Database[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    module = f"plug_in_{name}"
    install(tmp_path / "site", name, f"{module}:Backend")
    (tmp_path / "site" / f"{module}.py").write_text(_PLUG_IN)
    monkeypatch.syspath_prepend(tmp_path / "site")
    config.set_override("backend", name, group="auth")
    config.set_override("backend_kwargs", '{"suffix": "!"}', group="auth")
    client = make_app(config, database).test_client()
    assert client.post("/tokens", json={}, auth=("ada", "ada!")).status_code == 201
    assert client.post("/tokens", json={}, auth=("ada", "secret")).status_code == 401


def test_the_groups_that_a_plug_in_tells_give_roles(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "directory", "plug_in_directory:Backend")
    (tmp_path / "site" / "plug_in_directory.py").write_text(_PLUG_IN + _GROUPS)
    monkeypatch.syspath_prepend(tmp_path / "site")
    for group, name, value in (
        ("auth", "backend", "directory"),
        ("auth", "backend_kwargs", '{"suffix": "!"}'),
        ("rbac", "enable", True),
        ("rbac", "sync_remote_groups", True),
    ):
        config.set_override(name, value, group=group)
    roles = Roles(database)
    roles.prepare()
    mapping = {"group": "cn=staff", "roles": ["observer"], "enabled": True, "description": "", "source": "mappings/s"}
    roles.put_mappings([mapping])
    client = make_app(config, database).test_client()
    assert client.post("/tokens", json={}, auth=("ada", "wrong")).status_code == 401
    assert roles.rights("ada", False).roles == ()
    assert client.post("/tokens", json={}, auth=("ada", "ada!")).status_code == 201
    assert roles.rights("ada", False).roles == ("observer",)
    [assignment] = roles.find_assignments({"user": "ada"})
    assert assignment["is_remote"]
    # Somebody of whom the directory knows nothing.
    assert client.post("/tokens", json={}, auth=("eve", "eve!")).status_code == 500


_ASK = """\
import json, sys
from st2common import config
from st2common.auth.backends import make_backend
options = config.load([], "st2auth")
options.set_override("backend_kwargs", json.dumps({"file_path": sys.argv[1]}), group="auth")
backend = make_backend(options)
print(type(backend).__module__)
print([backend.authenticate(*pair) for pair in json.loads(sys.argv[2])])
"""


@pytest.mark.full
def test_the_familys_own_backend_works(tmp_path: Path) -> None:
    site, passwords = tmp_path / "site", tmp_path / "htpasswd"
    install_it = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site)]
    subprocess.run([*install_it, "st2-auth-backend-flat-file"], check=True, timeout=100)
    passwords.write_text(
        f"ada:{bcrypt.using(rounds=4, ident='2y').hash('secret')}\ngrace:{apr_md5_crypt.hash('hopper')}\n"
    )
    pairs = [("ada", "secret"), ("ada", "wrong"), ("grace", "hopper"), ("nobody", "secret")]
    asked = subprocess.run(
        [sys.executable, "-c", _ASK, str(passwords), json.dumps(pairs)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(site)},
    )
    assert asked.stdout.splitlines() == ["st2auth_flat_file_backend.flat_file", "[True, False, True, False]"], (
        asked.stderr
    )
