"""Two platforms for the whole run, one that asks nobody who he is and one that does, and the official client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.acceptance.platforms import Platform
from tests.official import environments
from tests.official.client import TIMEOUT, Client, client

Status = Callable[[str], str]

_HERE = Path(__file__).parent

USER, PASSWORD = "ada", "secret"

# Seconds; the first test of a run may install a client.
_TIMEOUT = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.timeout(_TIMEOUT))


@pytest.fixture(scope="session")
def program() -> Path:
    return environments.python_client()


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of packs with one pack, ``demo``, which lies in a repository."""
    directory = tmp_path_factory.mktemp("index")
    pack = directory / "demo"
    (pack / "actions").mkdir(parents=True)
    manifest = {"ref": "demo", "name": "demo", "description": "A demo", "version": "0.1.0", "author": "Ada"}
    (pack / "pack.yaml").write_text(json.dumps({**manifest, "email": "ada@example.com"}))
    action = {"name": "hello", "runner_type": "local-shell-cmd", "parameters": {"cmd": {"default": "echo hello"}}}
    (pack / "actions" / "hello.yaml").write_text(json.dumps(action))
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=pack, check=True, capture_output=True)
    content = {"actions": {"count": 1, "resources": ["hello"]}}
    entry = {**manifest, "repo_url": f"file://{pack}", "keywords": ["greeting"], "content": content}
    (directory / "index.json").write_text(json.dumps({"packs": {"demo": entry}}))
    return directory / "index.json"


@pytest.fixture(scope="session")
def open_platform(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Iterator[Platform]:
    """Without authentication; with a key for secrets and the index."""
    directory = tmp_path_factory.mktemp("open")
    platform = Platform(directory / "var", ["standalone"])
    key = directory / "key.json"
    maker = Path(sys.executable).with_name("st2-generate-symmetric-crypto-key")
    subprocess.run([maker, "--key-path", str(key)], check=True, capture_output=True)
    platform.configure("content", index_url=f"file://{index}")
    platform.configure("keyvalue", encryption_key_path=str(key))
    with platform.running():
        yield platform


@pytest.fixture(scope="session")
def guarded_platform(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Iterator[Platform]:
    """With authentication, for :data:`USER`."""
    platform = Platform(tmp_path_factory.mktemp("guarded") / "var", ["standalone"])
    platform.require_logins({USER: PASSWORD})
    platform.configure("content", index_url=f"file://{index}")
    with platform.running():
        yield platform


@pytest.fixture
def st2(program: Path, open_platform: Platform, tmp_path: Path) -> Client:
    """The client of somebody on the open platform."""
    return client(program, tmp_path / "home", **open_platform.urls)


@pytest.fixture
def status(open_platform: Platform) -> Status:
    """The status of an execution on the open platform, asked without a client: for waiting."""

    def ask(execution_id: str) -> str:
        answer = requests.get(f"{open_platform.urls['ST2_API_URL']}/executions/{execution_id}", timeout=TIMEOUT)
        return str(answer.json()["status"])

    return ask


@pytest.fixture
def stranger(program: Path, guarded_platform: Platform, tmp_path: Path) -> Client:
    """The client of somebody who has not logged in."""
    return client(program, tmp_path / "home", **guarded_platform.urls)


@pytest.fixture(scope="session")
def ada(program: Path, guarded_platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """The client of somebody who has."""
    logged_in = client(program, tmp_path_factory.mktemp("ada"), **guarded_platform.urls)
    logged_in("login", USER, "-p", PASSWORD)
    return logged_in
