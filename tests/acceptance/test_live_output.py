"""The raw output of a running action from the API daemon, over a real socket, the broker and the database."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from st2common.models import actions, runner_types
from st2common.models.actions import Action
from st2common.models.runner_types import RunnerType
from st2common.transport.amqp import AmqpTransport
from tests.acceptance.conftest import Spawn
from tests.acceptance.status_files import status
from tests.conditions import eventually
from tests.printer import Printer
from tests.servers import free_ports

RUNNER = {
    "name": "local-shell-cmd",
    "runner_package": "local_runner",
    "runner_module": "local_shell_command_runner",
    "runner_parameters": {"cmd": {"type": "string"}},
}
ACTION = {"pack": "core", "name": "local", "runner_type": "local-shell-cmd"}
# Seconds in which whatever is to happen has happened, also on a machine that is busy.
DEADLINE = 20


@dataclass
class Daemon:
    port: int
    process: subprocess.Popen[str]

    @contextlib.contextmanager
    def request(self, method: str, path: str, body: Any = None) -> Iterator[http.client.HTTPResponse]:
        """An answer whose headers are there. Leaving hangs up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/json"}
            connection.request(method, f"/v1/executions{path}", json.dumps(body) if body else None, headers)
            with connection.getresponse() as answer:
                yield answer

    def execution(self) -> str:
        with self.request("POST", "", {"action": "core.local", "parameters": {"cmd": "date"}}) as answer:
            identity: str = json.load(answer)["id"]
        return identity


@pytest.fixture
def api(spawn: Spawn, conf: Path, tmp_path: Path, database: Database[dict[str, Any]]) -> Daemon:
    runner_types.save(RunnerType.from_metadata(RUNNER))
    actions.save(Action.from_metadata(ACTION))
    [port] = free_ports(1)
    conf.write_text(f"{conf.read_text()}[api]\nport = {port}\n[auth]\nenable = False\n")
    child = spawn("st2api", "--config-file", str(conf))
    eventually(lambda: status(tmp_path, child), timeout=30)
    return Daemon(port, child)


@pytest.fixture
def transport(rabbitmq_url: str) -> Iterator[AmqpTransport]:
    broker = AmqpTransport(rabbitmq_url)
    yield broker
    broker.close()


def test_a_watcher_sees_each_line_when_it_is_printed_and_the_end(
    api: Daemon, database: Database[dict[str, Any]], transport: AmqpTransport
) -> None:
    execution_id = api.execution()
    printer = Printer(database, execution_id, transport=transport)
    with api.request("GET", f"/{execution_id}/stdout") as answer:
        assert answer.status == 200
        for number in range(5):
            printer.print(b"line %d\n" % number)
            assert answer.readline() == b"line %d\n" % number
        printer.end()
        assert answer.read() == b""


def test_a_stopping_daemon_cuts_watchers_and_ends_in_order(
    api: Daemon, database: Database[dict[str, Any]], transport: AmqpTransport
) -> None:
    execution_id = api.execution()
    Printer(database, execution_id, transport=transport).print(b"first\n")
    with api.request("GET", f"/{execution_id}/stdout") as answer:
        assert answer.readline() == b"first\n"
        api.process.send_signal(signal.SIGTERM)
        # A stream that was cut is not one that ended: the last chunk of the answer is missing.
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
    assert api.process.wait(DEADLINE) == 0


def test_a_quiet_action_can_be_watched_before_it_prints(
    api: Daemon, database: Database[dict[str, Any]], transport: AmqpTransport
) -> None:
    execution_id = api.execution()
    with api.request("GET", "/last/stderr") as answer:
        assert answer.headers["X-St2-Execution-Id"] == execution_id
        with api.request("DELETE", f"/{execution_id}") as canceled:
            assert json.load(canceled)["status"] == "canceled"
        assert answer.read() == b""
