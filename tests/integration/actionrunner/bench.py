"""A runner with real keepers and children, and everything around it that a test has to look at."""

from __future__ import annotations

import getpass
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oslo_config import cfg
from pymongo.database import Database

from st2actionrunner.service import RunnerService
from st2common import config as configuration
from st2common.models.executions import Executions
from st2common.models.statuses import COMPLETED
from st2common.output.chunk import End, Stream
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.cancellation import cancel_execution
from st2common.services.executions import request_execution
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Body, Message
from st2common.transport.topology import EXECUTION, EXECUTION_OUTPUT, EXECUTIONS_TO_RUN
from tests.conditions import eventually
from tests.integration.keepers import alive
from tests.output_logs import contents, everything

# Seconds within which an action of a test has ended, also on a busy machine.
PATIENCE = 30.0


def configured(
    directory: Path,
    stream_output: bool = True,
    places: int = 60,
    max_output_bytes: int = 2**30,
    api_url: str = "",
    auth: bool = True,
) -> cfg.ConfigOpts:
    """The configuration of a platform below ``directory``, whose actions run as the user of the test."""
    file = directory / f"st2-{stream_output}-{places}-{max_output_bytes}-{auth}.conf"
    file.write_text(
        f"[system]\nbase_path = {directory}\nstate_path = {directory}\n"
        f"[system_user]\nuser = {getpass.getuser()}\n"
        f"[content]\nsystem_packs_base_path = {directory}/packs\n"
        f"[actionrunner]\nstream_output = {stream_output}\nactions_pool_size = {places}\n"
        f"max_output_bytes = {max_output_bytes}\n"
        f"[auth]\nenable = {auth}\napi_url = {api_url}\n"
        f"[keyvalue]\nencryption_key_path = {directory}/key.json\n"
    )
    return configuration.load(["--config-file", str(file)], "test")


class Bench:
    def __init__(self, directory: Path, database: Database[dict[str, Any]], transport: MemoryTransport) -> None:
        self.directory = directory
        self.database = database
        self.transport = transport
        self.executions = Executions(database)
        self.log = MongoOutputLog(database)
        self.events: list[Message] = []
        subscription = transport.subscribe(self.events.append, lambda: None)
        subscription.bind(EXECUTION, "#")
        subscription.bind(EXECUTION_OUTPUT, "#")
        transport.declare(EXECUTIONS_TO_RUN)
        self._running: list[RunnerService] = []

    # Runners.

    def runner(self, **options: Any) -> RunnerService:
        """A runner that works."""
        runner = RunnerService(
            config=configured(self.directory, **options), database=self.database, transport=self.transport
        )
        runner.start()
        self._running.append(runner)
        return runner

    def stop(self, runner: RunnerService) -> None:
        self._running.remove(runner)
        runner.stop(20.0)

    def end(self) -> None:
        """Stop the runners, then the keepers with their children."""
        for runner in list(self._running):
            self.stop(runner)
        for pid in self.keepers():
            os.kill(pid, signal.SIGTERM)
        eventually(lambda: not self.keepers(), PATIENCE)

    def keepers(self) -> list[int]:
        found = [_content(path) for path in self.directory.glob("runner/*/keepers/*/keeper.pid")]
        return [int(pid) for pid in found if pid and alive(int(pid))]

    # Executions.

    def request(self, cmd: str, action: str = "core.local", **parameters: Any) -> str:
        given = {"cmd": cmd, **parameters} if cmd else parameters
        stored = request_execution(self.database, self.transport, action_ref=action, parameters=given, user="tester")
        return str(stored["_id"])

    def run(self, cmd: str, action: str = "core.local", **parameters: Any) -> dict[str, Any]:
        """Request an execution and wait for its end; it as it is then."""
        return self.ended(self.request(cmd, action, **parameters))

    def deliver(self, execution_id: str) -> None:
        """Tell the runners of an execution (again)."""
        body: Body = {"v": 1, "execution_id": execution_id}
        self.transport.publish(EXECUTIONS_TO_RUN.exchange, EXECUTIONS_TO_RUN.routing_key, body)

    def cancel(self, execution_id: str) -> None:
        cancel_execution(self.database, self.transport, execution_id=execution_id, user="somebody")

    def stored(self, execution_id: str) -> dict[str, Any]:
        found = self.executions.get(execution_id)
        assert found is not None
        return found

    def ended(self, execution_id: str) -> dict[str, Any]:
        eventually(lambda: self.stored(execution_id)["status"] in COMPLETED, PATIENCE)
        return self.stored(execution_id)

    # Output.

    def output(self, execution_id: str, stream: Stream | None = Stream.STDOUT) -> bytes:
        return contents(everything(self.log, execution_id), stream)

    def wait_for_output(self, execution_id: str, expected: bytes) -> None:
        eventually(lambda: expected in self.output(execution_id), PATIENCE)

    def end_of_log(self, execution_id: str) -> End:
        found = self.log.end(execution_id)
        assert found is not None
        return found

    def told(self, condition: Callable[[Message], bool] = lambda _: True) -> str:
        """Everything that was told on the broker, as one text."""
        return "\n".join(str(message.body) for message in self.events if condition(message))

    def statuses(self, execution_id: str) -> list[str]:
        """The statuses of an execution in the order in which they were told."""
        return [
            status
            for message in self.events
            if message.exchange == EXECUTION and message.body["execution"]["id"] == execution_id
            for status in (*message.body["earlier"], message.body["execution"]["status"])
        ]

    def run_directories(self) -> list[str]:
        return sorted(path.name for path in self.directory.glob("runner/*/keepers/*/runs/*"))


def _content(path: Path) -> str:
    """Nothing for a file that has just gone."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
