"""What is secret stays where it belongs: not in arguments, others' environments, messages, logs, files or answers."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pika
import pytest
from pymongo import MongoClient

from st2common.transport import topology
from st2common.transport.port import WorkQueue
from st2ctl.embedded import EmbeddedDatabase
from tests.acceptance.platforms import Platform
from tests.conditions import eventually

# A pack that runs on the Python of the platform.
_PACK = {
    "pack.yaml": "ref: default\nname: default\ndescription: x\nversion: 1.0.0\nauthor: Me\nemail: me@example.com\n",
    "config.schema.yaml": "token: {type: string, secret: true}\n",
    "actions/use.yaml": (
        "name: use\nrunner_type: python-script\nentry_point: use.py\nparameters:\n"
        "  given: {type: string, secret: true}\n  kept: {type: string, secret: true}\n  go_on: {type: string}\n"
    ),
    "actions/use.py": (
        "import os, time\nfrom st2common.runners.base_action import Action\n"
        "class Use(Action):\n"
        "    def run(self, given, kept, go_on):\n"
        "        print('python has', given, kept, self.config['token'], flush=True)\n"
        "        while not os.path.exists(go_on):\n            time.sleep(0.02)\n"
        "        return {'given': given}\n"
    ),
    "actions/shell.yaml": (
        "name: shell\nrunner_type: local-shell-cmd\nparameters:\n"
        "  given: {type: string, secret: true}\n  go_on: {type: string}\n"
        "  env: {immutable: true, default: {GIVEN: '{{ given }}', GO_ON: '{{ go_on }}'}}\n"
        "  cmd: {immutable: true, default: 'echo shell has $GIVEN; until [ -e $GO_ON ]; do sleep 0.02; done'}\n"
    ),
}


@dataclass
class Secrets:
    """Words that are nowhere else. The last two are of the daemons, the others of actions and people."""

    given: str
    kept: str
    config: str
    password: str
    broker: str
    database: str

    def found_in(self, text: bytes, but: tuple[str, ...] = ()) -> list[str]:
        """The names of those that ``text`` has, as they are or in base64."""
        return [
            name
            for name, word in vars(self).items()
            if name not in but and (word.encode() in text or base64.b64encode(word.encode())[:-4] in text)
        ]


class Caller:
    def __init__(self, platform: Platform, **headers: str) -> None:
        self._urls, self._headers = platform.urls, headers

    def ask(self, method: str, path: str, document: Any = None, service: str = "API") -> Any:
        return json.loads(self.text(method, path, document, service) or "null")

    def text(self, method: str, path: str, document: Any = None, service: str = "API") -> str:
        body = None if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json", **self._headers}
        asked = urllib.request.Request(f"{self._urls[f'ST2_{service}_URL']}{path}", body, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - of the platform
                return str(answer.read(), "utf-8")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from error


@pytest.fixture
def words() -> Secrets:
    return Secrets(**{name: f"{name}-{secrets.token_hex(12)}" for name in Secrets.__annotations__})


@pytest.fixture
def platform(tmp_path: Path, words: Secrets) -> Iterator[Platform]:
    platform = Platform(tmp_path / "var")
    url = platform.config.messaging.url
    # The second node is not there: nobody asks it while the first one answers.
    other = url.replace("guest:guest@127.0.0.1", f"st2:{words.broker}@127.0.0.2")
    platform.configure("messaging", cluster_urls=f"{url},{other}")
    _log_in_to_database(platform, words.database)
    key = tmp_path / "kv.json"
    subprocess.run([platform.command("st2-generate-symmetric-crypto-key"), "--key-path", key], check=True)
    platform.configure("keyvalue", encryption_key_path=str(key))
    platform.require_logins({"ada": words.password})
    for name, text in _PACK.items():
        file = Path(platform.config.content.system_packs_base_path) / "default" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with platform.running():
        yield platform


def _log_in_to_database(platform: Platform, password: str) -> None:
    """Before the platform has been started."""
    config = platform.config.database
    server = EmbeddedDatabase(platform.var / "database", config.port)
    server.start()
    try:
        with MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{config.port}") as client:
            roles = [{"role": "readWrite", "db": config.db_name}]
            client.admin.command("createUser", "st2", pwd=password, roles=roles)
    finally:
        server.stop()
    platform.configure("database", username="st2", password=password)


@pytest.fixture
def messages(platform: Platform) -> Iterator[_Queue]:
    """All that the exchanges get from now on; filled when it is asked for."""
    connection = pika.BlockingConnection(
        pika.URLParameters(platform.config.messaging.cluster_urls[0].removesuffix("//") + "/%2F")
    )
    try:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        for name, value in vars(topology).items():
            if name.isupper() and isinstance(value, str | WorkQueue):
                exchange = value if isinstance(value, str) else value.exchange
                channel.exchange_declare(exchange, "topic", durable=True)
                channel.queue_bind(queue, exchange, "#")
        yield _Queue(channel, queue)
    finally:
        connection.close()


class _Queue(list[bytes]):
    def __init__(self, channel: Any, queue: str) -> None:
        super().__init__()
        self._channel, self._queue = channel, queue

    def read(self) -> bytes:
        while True:
            method, properties, body = self._channel.basic_get(self._queue, auto_ack=True)
            if method is None:
                return b"\n".join(self)
            self.append(f"{method.routing_key} {properties}".encode() + body)
            # What a doorbell carries is base64 in JSON.
            data = (json.loads(body).get("chunk") or {}).get("data", "")
            self.append(base64.b64decode(data))


@pytest.mark.full
@pytest.mark.timeout(300)
def test_nothing_secret_is_where_others_can_read(
    platform: Platform, words: Secrets, messages: _Queue, tmp_path: Path
) -> None:
    login = base64.b64encode(f"ada:{words.password}".encode()).decode()
    made = Caller(platform, Authorization=f"Basic {login}").ask("POST", "/tokens", {}, service="AUTH")
    ada = Caller(platform, **{"X-Auth-Token": made["token"]})
    key = ada.ask("POST", "/apikeys", {})["key"]
    robot = Caller(platform, **{"St2-Api-Key": key})
    ada.ask("PUT", "/keys/kept", {"name": "kept", "value": words.kept, "secret": True, "scope": "system"})
    ada.ask("POST", "/packs/register", {"packs": ["default"]})
    ada.ask("PUT", "/configs/default", {"token": words.config})

    go_on = tmp_path / "go_on"
    parameters = {"given": words.given, "go_on": str(go_on)}
    kept = "{{ st2kv.system.kept | decrypt_kv }}"
    asked = [
        robot.ask("POST", "/executions", {"action": "default.use", "parameters": {**parameters, "kept": kept}}),
        robot.ask("POST", "/executions", {"action": "default.shell", "parameters": parameters}),
    ]
    paths = [f"/executions/{each['id']}" for each in asked]
    for path in paths:
        eventually(lambda path=path: "has" in ada.text("GET", f"{path}/output") or _not_ended(ada, path), timeout=60)

    processes = {pid: command.encode() for pid, command in platform.processes().items()}
    assert len(processes) > 10
    for pid, command in processes.items():
        assert words.found_in(command) == [], command
        assert key.encode() not in command
        environment = _environment(pid)
        # Of a shell action's own environment, and of nobody's else.
        own = ("given",) if b"\0GIVEN=" in b"\0" + environment else ()
        assert words.found_in(environment, own) == [], command
        assert key.encode() not in environment
        assert made["token"].encode() not in command + environment

    go_on.touch()
    eventually(lambda: {ada.ask("GET", path)["status"] for path in paths} == {"succeeded"}, timeout=60)
    told = messages.read()
    assert b"python has ********" in told
    assert words.found_in(told) == []
    shown = json.dumps([ada.ask("GET", path) for path in paths]).encode()
    assert b"python has ********" in shown
    assert words.found_in(shown) == []

    logs = {path: path.read_bytes() for path in platform.var.rglob("*.log*") if path.is_file()}
    assert len(logs) > 5
    for path, text in logs.items():
        assert words.found_in(text) == [], path
        assert not {word for word in (key, made["token"]) if word.encode() in text}, path


def _not_ended(caller: Caller, path: str) -> bool:
    execution = caller.ask("GET", path)
    assert execution["status"] not in ("failed", "succeeded"), execution["result"]
    return False


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has ended
        return b""
