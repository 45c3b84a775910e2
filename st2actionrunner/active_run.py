"""One attempt of an execution on this runner: prepare, spawn, follow, conclude. Each run has a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from st2actionrunner.ending import end_execution, set_status
from st2actionrunner.keeper_client import KeeperAway, KeeperError
from st2actionrunner.launch import ChildlessRunner, Exit, Launch, Outcome, Runner, RunnerError, RunRequest, Settled
from st2actionrunner.leases import require_lease
from st2actionrunner.output_copy import OutputCopy
from st2actionrunner.pump import Pump
from st2actionrunner.workshop import Workshop
from st2common.errors import Fenced, ValidationError
from st2common.models.execution_view import secret_values
from st2common.models.statuses import Status
from st2common.output.chunk import Stream
from st2common.output.log import Position
from st2common.output.masking import Secrets
from st2common.output.writer import Writer
from st2common.retry import until_done
from st2common.services.repeats import may_run_again, run_again
from st2common.services.stored_result import storable

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_KEEPER_LOST = Exit(error="The process that kept this action is gone; nobody knows how the action ended.")

# Seconds between two tries to spawn while the keeper is being replaced.
_SPAWN_INTERVAL = 0.1


class ActiveRun:
    def __init__(self, workshop: Workshop, document: Mapping[str, Any]) -> None:
        """``document``: the execution as it was claimed."""
        self._workshop = workshop
        self._document = document
        self.execution_id = str(document["_id"])
        self.attempt: int = document["attempt"]
        #: Names the run to the keeper.
        self.name = f"{self.execution_id}.{self.attempt}"
        self._directory: Path = workshop.keepers.run_directory(self.name)
        self._streaming: bool = document["stream_output"]
        self._canceled = document["status"] == Status.CANCELING
        self._detached = False
        self._lost = False
        self._exited = False
        self._spawned = False
        #: How far the log has the spool, in bytes of the spool.
        self._stored = 0
        self._spawning = threading.Lock()
        self._grown = threading.Event()
        self._secrets = Secrets(secret_values(document))
        #: How many times the action had registered secrets when we looked last.
        self.registrations: int = document.get("registrations", 0)
        self._copy = OutputCopy(self.attempt)
        self._writer: Writer | None = None

    # What other threads call.

    def wake(self, exited: bool = False) -> None:
        """The keeper says that the spool has grown, or that it is complete."""
        self._exited = self._exited or exited
        self._grown.set()

    def cancel(self) -> None:
        """Somebody asked for the end of this execution."""
        self._canceled = True
        if self._spawned:
            self._workshop.keepers.kill(self.name)

    def learn(self, registrations: int, secrets: Sequence[str]) -> None:
        """The action has registered secrets. Whatever is taken from the spool after this, they are masked in it."""
        self._document = {**self._document, "decrypted": [*secrets]}
        self._secrets.add(secrets)
        self.registrations = registrations

    def fence(self) -> None:
        """Another attempt owns the execution: end the child, write nothing more."""
        self.detach()
        self._workshop.keepers.kill(self.name)
        self._workshop.keepers.forget(self.name)

    def detach(self) -> None:
        """Leave the child to the keeper: another process of this runner goes on with it."""
        self._detached = True
        self._grown.set()

    def lose(self) -> None:
        """The keeper of this run is gone, and the child with it."""
        self._lost = True
        self._grown.set()

    def is_spawned(self) -> bool:
        """Whether a keeper has been told to start the child."""
        with self._spawning:
            return self._spawned

    def spooled(self) -> int:
        """Bytes of the spool that the log does not have yet."""
        try:
            return max(0, (self._directory / "spool").stat().st_size - self._stored)
        except FileNotFoundError:
            return 0

    # What the run's own thread does.

    def execute(self) -> None:
        """Start the child of a freshly claimed execution and see it to its end."""
        self._guard(self._start)

    def resume(self) -> None:
        """Go on with a child that an earlier process of this runner has started."""
        self._spawned = True
        if self._canceled:
            self._workshop.keepers.kill(self.name)
        self._guard(self._go_on)

    def _guard(self, step: Callable[[], None]) -> None:
        """Whatever happens in ``step``, the execution gets an end, unless it is somebody else's now."""
        try:
            try:
                step()
            except (RunnerError, ValidationError, KeeperError) as error:
                self._fail(str(error))
            except Fenced:
                raise
            except Exception:
                LOG.exception("Execution %s failed in the runner", self.execution_id)
                self._fail("The action runner failed while it ran this action; its log tells why.")
        except Fenced:
            LOG.warning("Execution %s belongs to another attempt now: ending ours", self.execution_id)
            self._workshop.keepers.kill(self.name)
            self._workshop.keepers.forget(self.name)

    def _start(self) -> None:
        try:
            go_on = self._begin()
        except Fenced:
            raise  # what has become of it since is for others to tell
        except Exception:
            self._workshop.events.claimed(self._document)
            raise
        # The child is on its way while we tell.
        self._workshop.events.claimed(self._document)
        go_on()

    def _begin(self) -> Callable[[], None]:
        """Do what there is to do at once; the rest of it is to be called."""
        # Nobody has written to the log of a first attempt.
        position = Position() if self.attempt == 1 else self._position()
        if self._canceled:
            self._writer = self._writer_from(position)
            return partial(self._conclude, Status.CANCELED, {}, None)
        request, runner = self._prepare()
        self._writer = self._writer_from(position)
        if not self._document["runner"].get("enabled", True):
            raise RunnerError(f'The runner type "{self._document["runner"]["name"]}" is disabled.')
        if isinstance(runner, ChildlessRunner):
            self._require_lease()
            return partial(self._settle, runner.settle(request))
        self._spawn(replace(runner.prepare(request), token=request.auth_token))
        return partial(self._follow, request, runner, self._writer)

    def _go_on(self) -> None:
        position = self._position()
        self._until_done(lambda: self._copy.take_stored(self._workshop.log, self.execution_id))
        request, runner = self._prepare()
        assert not isinstance(runner, ChildlessRunner)  # noqa: S101 - it has had a child
        self._writer = self._writer_from(position)
        self._follow(request, runner, self._writer)

    def _prepare(self) -> tuple[RunRequest, Runner | ChildlessRunner]:
        """Before the writer is made: from then on the secrets of the pack's configuration are masked too."""
        runner = self._workshop.runners.get(self._document["runner"]["name"])
        request = self._until_done(lambda: self._workshop.requests.build(self._document, self._directory))
        if request.secrets:
            self._secrets.add(request.secrets)
        return request, runner

    def _spawn(self, launch: Launch) -> None:
        while not self._detached:
            self._require_lease()
            with self._spawning:
                try:
                    self._workshop.keepers.spawn(self.name, launch, self._workshop.max_output_bytes)
                    self._spawned = True
                    break
                except KeeperAway as error:
                    LOG.warning("Execution %s waits for a keeper: %s", self.execution_id, error)
            time.sleep(_SPAWN_INTERVAL)
        if self._canceled:
            self._workshop.keepers.kill(self.name)

    def _require_lease(self) -> None:
        """Begin nothing that has been given to another attempt, or ended, while this process stood still."""
        self._until_done(lambda: require_lease(self._workshop.executions, self._document))

    def _position(self) -> Position:
        """Where the log stands. From then on no earlier attempt can add to it."""
        log = self._workshop.log
        if self.attempt == 1:
            return self._until_done(lambda: log.resume(self.execution_id, self.attempt))
        return self._until_done(lambda: log.take_over(self.execution_id, self.attempt))

    def _follow(self, request: RunRequest, runner: Runner, writer: Writer) -> None:
        """See the child to its end, unless we have to leave it before."""
        ended = self._pump(writer)
        if ended is None or (ended is _KEEPER_LOST and self._run_again(writer)):
            return
        outcome = Outcome(
            exit=ended,
            stdout=self._copy.text(Stream.STDOUT),
            stderr=self._copy.text(Stream.STDERR),
            result=_content(self._directory / "result"),
            mask=self._secrets.mask,
        )
        status, result = runner.conclude(request, outcome)
        if ended is _KEEPER_LOST:
            status = Status.ABANDONED
        self._conclude(status, result, ended.exit_code, ended.truncated_bytes)

    def _run_again(self, writer: Writer) -> bool:
        """The end of a run that was lost, where the action says that it may be run twice."""
        shop, document = self._workshop, self._document
        if self._canceled or not may_run_again(document):
            return False
        reason = "The process that kept this action was lost."
        if self._until_done(lambda: run_again(shop.executions, shop.events, writer, document, reason)) is None:
            return False
        shop.keepers.forget(self.name)
        return True

    def _settle(self, settled: Settled) -> None:
        """The end of an action without a child, or of our part in it."""
        status, result, size = storable(settled.status, settled.result, self._document)
        if status is Status.PENDING and not self._canceled:
            # The log has no end yet: that is for whoever ends the execution.
            fields = {"result": result, "result_size": size, "pending_until": settled.pending_until}
            if stored := set_status(self._workshop, self._document, status, fields):
                self._workshop.events.updated(stored)
                return
            # Somebody has just asked for its end.
            self._canceled = True
        self._conclude(status, result, None)

    def _pump(self, writer: Writer) -> Exit | None:
        """Move the output into the log; how the child ended, or None when we leave it to the keeper."""
        spool = self._directory / "spool"
        if not self._streaming:
            self._wait_for_exit(spool)
        with Pump(spool, writer, self._grown, self._acknowledge, self._workshop.flush_interval) as pump:
            ended = pump.run(lambda: self._detached or self._lost)
            if ended is None and self._lost and not self._detached:
                ended = pump.drain() or _KEEPER_LOST
        return ended

    def _wait_for_exit(self, spool: Path) -> None:
        """Show nothing while the action runs, but let the keeper read on."""
        while not (self._exited or self._detached or self._lost):
            size = spool.stat().st_size if spool.exists() else 0
            self._workshop.keepers.ack(self.name, size, size)
            self._grown.wait()
            self._grown.clear()

    def _acknowledge(self, seen: int, durable: int) -> None:
        self._stored = durable
        self._workshop.keepers.ack(self.name, seen, durable)

    def _writer_from(self, position: Position) -> Writer:
        shop = self._workshop
        return Writer(
            shop.log, shop.doorbell, self.execution_id, self.attempt, position, self._secrets, on_chunk=self._copy.add
        )

    def _fail(self, message: str) -> None:
        """The action could not be run, or it cannot be told how it ended."""
        self._workshop.keepers.kill(self.name)
        if self._writer is None:
            self._writer = self._writer_from(self._position())
        self._conclude(Status.FAILED, {"error": message, "failed": True, "succeeded": False}, None)

    def _conclude(
        self, status: Status, result: Mapping[str, Any], exit_code: int | None, truncated_bytes: int = 0
    ) -> None:
        """End record first, then the status: who sees the status finds the whole log.

        The record decides how the execution ended: a cancel that comes after it comes too late.
        """
        if self._canceled:
            status = Status.CANCELED
        status, result, size = storable(status, result, self._document)
        assert self._writer is not None  # noqa: S101 - every way here has made it
        status = Status(self._writer.finish(str(status), exit_code, truncated_bytes).status)
        fields: dict[str, Any] = {"result": result, "result_size": size}
        if left := self._copy.left_in_log():
            fields["output_in_log"] = left
        end_execution(self._workshop, self._document, status, fields)
        LOG.info("Execution %s has ended: %s", self.execution_id, status)
        self._workshop.keepers.forget(self.name)

    def _until_done(self, step: Callable[[], T]) -> T:
        return until_done(f"Execution {self.execution_id}", step)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
