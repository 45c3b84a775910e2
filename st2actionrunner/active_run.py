"""One attempt of an execution on this runner: prepare, spawn, follow, conclude. Each run has a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from st2actionrunner.keeper_client import KeeperClient
from st2actionrunner.launch import Exit, Outcome, Runner, RunnerError, RunRequest
from st2actionrunner.output_copy import OutputCopy
from st2actionrunner.pump import Pump
from st2actionrunner.requests import RequestBuilder
from st2actionrunner.retry import until_done
from st2actionrunner.runners.registry import Runners
from st2common.errors import Fenced, ValidationError
from st2common.models.execution_view import secret_values
from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.output.chunk import Stream
from st2common.output.doorbell import Doorbell
from st2common.output.log import OutputLog, Position
from st2common.output.masking import needles
from st2common.output.writer import Writer
from st2common.services.events import ExecutionEvents

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_KEEPER_LOST = Exit(error="The process that kept this action is gone; nobody knows how the action ended.")


@dataclass(frozen=True)
class Workshop:
    """What every run of this runner works with."""

    executions: Executions
    events: ExecutionEvents
    log: OutputLog
    doorbell: Doorbell
    keeper: KeeperClient
    runners: Runners
    requests: RequestBuilder
    #: Least number of seconds between two writes of one log.
    flush_interval: float


class ActiveRun:
    def __init__(self, workshop: Workshop, document: Mapping[str, Any], exited: bool = False) -> None:
        self._workshop = workshop
        self._document = document
        self.execution_id = str(document["_id"])
        self.attempt: int = document["attempt"]
        #: Names the run to the keeper.
        self.name = f"{self.execution_id}.{self.attempt}"
        self._streaming: bool = document["stream_output"]
        self._canceled = document["status"] == Status.CANCELING
        self._detached = False
        self._spawned = False
        self._exited = exited
        self._grown = threading.Event()
        self._pump: Pump | None = None
        self._copy = OutputCopy()
        #: Set when the run's thread is through with it.
        self.done = threading.Event()

    def successor(self) -> ActiveRun:
        """The same attempt, to be taken up again."""
        return ActiveRun(self._workshop, self._document, exited=True)

    # What other threads call.

    def wake(self, exited: bool = False) -> None:
        """The keeper says that the spool has grown, or that the child has ``exited``."""
        self._exited = self._exited or exited
        self._grown.set()
        if self._pump:
            self._pump.wake()

    def cancel(self) -> None:
        """Somebody asked for the end of this execution."""
        self._canceled = True
        if self._spawned:
            self._workshop.keeper.kill(self.name)

    def fence(self) -> None:
        """Another attempt owns the execution: end the child, write nothing more."""
        self._workshop.keeper.kill(self.name)
        self.detach()

    def detach(self) -> None:
        """Leave the child to the keeper: another process of this runner goes on with it."""
        self._detached = True
        self._grown.set()
        if self._pump:
            self._pump.stop()

    # What the run's own thread does.

    def execute(self) -> None:
        """Start the child of a freshly claimed execution and see it to its end."""
        self._guard(self._start)

    def resume(self) -> None:
        """Go on with a child that an earlier process of this runner has started."""
        self._guard(self._go_on)

    def salvage(self) -> None:
        """Store what is left of a run whose keeper is gone."""
        self._guard(self._store_remains)

    def _guard(self, step: Callable[[], None]) -> None:
        keeper = self._workshop.keeper
        try:
            step()
        except Fenced:
            LOG.warning("Execution %s belongs to another attempt now: ending ours", self.execution_id)
            keeper.kill(self.name)
            keeper.forget(self.name)
        except (RunnerError, ValidationError) as error:
            self._fail(str(error))
        except Exception:
            LOG.exception("Execution %s failed in the runner", self.execution_id)
            keeper.kill(self.name)
            self._fail("The action runner failed while it ran this action; its log tells why.")

    def _start(self) -> None:
        request, runner = self._prepare()
        launch = runner.prepare(request)
        # Nobody has written to the log of a first attempt.
        position = Position() if self.attempt == 1 else self._owned_position()
        self._workshop.keeper.spawn(self.name, launch)
        self._spawned = True
        if self._canceled:
            self._workshop.keeper.kill(self.name)
        self._follow(request, runner, position)

    def _go_on(self) -> None:
        self._spawned = True
        if self._canceled:
            self._workshop.keeper.kill(self.name)
        request, runner = self._prepare()
        self._follow(request, runner, self._stored_position())

    def _store_remains(self) -> None:
        writer = self._writer(self._stored_position())
        pump = Pump(self._directory / "spool", writer, lambda _seen, _durable: None, 0.0)
        ended = pump.drain() or _KEEPER_LOST
        request, runner = self._prepare()
        status, result = self._result(request, runner, ended)
        self._conclude(writer, Status.ABANDONED if ended is _KEEPER_LOST else status, result, ended.exit_code)

    @property
    def _directory(self) -> Path:
        return self._workshop.keeper.run_directory(self.name)

    def _prepare(self) -> tuple[RunRequest, Runner]:
        runner = self._workshop.runners.get(self._document["runner"]["name"])
        return self._workshop.requests.build(self._document, self._directory), runner

    def _stored_position(self) -> Position:
        """Where the log stands, with what it holds taken into the copy."""
        log = self._workshop.log
        position = self._owned_position()
        self._until_done(lambda: self._copy.take_stored(log, self.execution_id))
        return position

    def _owned_position(self) -> Position:
        log = self._workshop.log
        if self.attempt == 1:
            return self._until_done(lambda: log.resume(self.execution_id))
        return self._until_done(lambda: log.take_over(self.execution_id, self.attempt))

    def _follow(self, request: RunRequest, runner: Runner, position: Position) -> None:
        writer = self._writer(position)
        spool = request.directory / "spool"
        if not self._streaming:
            self._wait_for_exit(spool)
        self._pump = Pump(spool, writer, self._acknowledge, self._workshop.flush_interval)
        if self._detached:
            return
        ended = self._pump.run()
        if ended is not None:
            status, result = self._result(request, runner, ended)
            self._conclude(writer, status, result, ended.exit_code)

    def _wait_for_exit(self, spool: Path) -> None:
        """Show nothing while the action runs, but let the keeper read on."""
        while not self._exited and not self._detached:
            self._grown.wait()
            self._grown.clear()
            size = spool.stat().st_size if spool.exists() else 0
            self._acknowledge(size, size)

    def _acknowledge(self, seen: int, durable: int) -> None:
        self._workshop.keeper.ack(self.name, seen, durable)

    def _writer(self, position: Position) -> Writer:
        return Writer(
            self._workshop.log,
            self._workshop.doorbell,
            self.execution_id,
            self.attempt,
            position,
            needles(secret_values(self._document)),
            on_chunk=self._copy.add,
        )

    def _result(self, request: RunRequest, runner: Runner, ended: Exit) -> tuple[Status, dict[str, Any]]:
        result_file = request.directory / "result"
        outcome = Outcome(
            exit=ended,
            stdout=self._copy.text(Stream.STDOUT),
            stderr=self._copy.text(Stream.STDERR),
            result=result_file.read_bytes() if result_file.exists() else None,
        )
        return runner.conclude(request, outcome)

    def _conclude(self, writer: Writer, status: Status, result: Mapping[str, Any], exit_code: int | None) -> None:
        """End record first, then the status: who sees the status finds the whole log."""
        status = Status.CANCELED if self._canceled else status
        writer.finish(str(status), exit_code)
        fields: dict[str, Any] = {"result": dict(result)}
        if left := self._copy.left_in_log():
            fields["output_in_log"] = left
        self._set_status(status, fields)
        self._workshop.keeper.forget(self.name)

    def _fail(self, message: str) -> None:
        """The action could not be run, or nobody knows how it ended: the log ends, then the execution."""
        try:
            result = {"error": message, "failed": True, "succeeded": False}
            self._conclude(self._writer(self._owned_position()), Status.FAILED, result, None)
        except Fenced:
            LOG.warning("Execution %s belongs to another attempt now", self.execution_id)

    def _set_status(self, status: Status, fields: Mapping[str, Any]) -> None:
        stored = None
        if status is not Status.CANCELED:
            stored = self._change(status, fields)
        if stored is None:
            # Somebody asked for its end, before or just now; the answer to that request has set the result already.
            stored = self._change(Status.CANCELED, {})
        if stored is None:
            LOG.warning("Execution %s had ended, or belongs to another attempt, before it was %s", self.name, status)
            return
        self._workshop.events.updated(stored)

    def _change(self, status: Status, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        executions = self._workshop.executions

        def step() -> Mapping[str, Any] | None:
            stored = executions.change(self.execution_id, status, attempt=self.attempt, fields=fields)
            if stored is None and (found := executions.get(self.execution_id)):
                # Done already, where the answer to an earlier try was lost on the way.
                return found if (found["status"], found["attempt"]) == (status, self.attempt) else None
            return stored

        return self._until_done(step)

    def _until_done(self, step: Callable[[], T]) -> T:
        return until_done(f"running execution {self.execution_id}", step)
