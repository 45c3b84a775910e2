"""The dispatcher: takes executions from the queue, claims them, runs them, and takes up again what runs already."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bson import ObjectId
from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2actionrunner.active_run import ActiveRun, Workshop
from st2actionrunner.keeper_client import KeeperClient
from st2actionrunner.leases import LeaseKeeper, lease_until
from st2actionrunner.requests import RequestBuilder
from st2actionrunner.retry import until_done
from st2actionrunner.runners.registry import Runners
from st2actionrunner.runners.settings import RunnerSettings
from st2actionrunner.slots import Slot
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.statuses import COMPLETED, Status
from st2common.output.doorbell import Doorbell
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.events import ExecutionEvents
from st2common.transport.port import Consumer, Delivery, Message, Subscription, Transport
from st2common.transport.topology import CANCEL, EXECUTIONS_TO_RUN

LOG = logging.getLogger(__name__)


class RunnerService:
    name = "st2actionrunner"

    def __init__(self, *, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._config = config
        self._transport = transport
        self._executions = Executions(database)
        self._log = MongoOutputLog(database)
        self._active: dict[str, ActiveRun] = {}
        self._lock = threading.Lock()
        self._pool_size: int = config.actionrunner.actions_pool_size
        self._places = threading.Semaphore(self._pool_size)
        self._stopping = False
        self._consumer: Consumer | None = None
        self._cancels: Subscription | None = None

    def start(self) -> None:
        config = self._config
        self._slot = Slot(Path(config.system.state_path))
        until_done("making indexes", self._executions.ensure_indexes)
        until_done("making indexes", self._log.ensure_indexes)
        self._keeper = KeeperClient(self._slot.directory, self._on_keeper_event, self._on_keeper_lost)
        self._keeper.start_or_attach()
        self._workshop = Workshop(
            executions=self._executions,
            events=ExecutionEvents(self._transport),
            log=self._log,
            doorbell=Doorbell(self._transport),
            keeper=self._keeper,
            runners=Runners(RunnerSettings.from_config(config)),
            requests=RequestBuilder(config),
            flush_interval=config.actionrunner.output_flush_interval,
        )
        self._leases = LeaseKeeper(self._executions, self._slot.owner, self._snapshot)
        self._recover()
        self._leases.start()
        self._cancels = self._transport.subscribe(self._on_cancel, lambda: None)
        self._cancels.bind(CANCEL, self._slot.owner)
        self._consumer = self._transport.consume(EXECUTIONS_TO_RUN, self._on_delivery, prefetch=self._pool_size)

    def stop(self, deadline: float) -> None:
        """Take no new work, then leave the running children to the keeper: their next runner goes on with them."""
        # The order matters: no new runs, then no more writes, then the leases are handed over, then the keeper is left.
        end = time.monotonic() + deadline
        self._stopping = True
        if self._consumer:
            self._consumer.stop()
        if self._cancels:
            self._cancels.stop()
        runs = self._snapshot()
        for run in runs.values():
            run.detach()
        for run in runs.values():
            run.done.wait(max(0.0, end - time.monotonic()))
        self._leases.stop(runs)
        self._keeper.close()
        self._slot.release()
        if runs:
            LOG.info("Left %d running actions to their keeper", len(runs))

    def health(self) -> str | None:
        if self._consumer and not self._consumer.healthy():
            return "the broker is away: no new executions are taken"
        if not self._keeper.healthy():
            return "the keeper does not answer: no new actions can be started"
        return self._leases.problem

    def _snapshot(self) -> Mapping[str, ActiveRun]:
        with self._lock:
            return dict(self._active)

    # Taking executions.

    def _on_delivery(self, delivery: Delivery) -> None:
        # Blocks the consumer while every place is taken: what waits stays with the broker, for other runners to take.
        self._places.acquire()
        if self._stopping:
            self._places.release()
            delivery.requeue()
            return
        threading.Thread(target=self._take, args=(delivery,), daemon=True).start()

    def _take(self, delivery: Delivery) -> None:
        try:
            stored = self._claim(delivery)
            if stored:
                self._run(ActiveRun(self._workshop, stored), ActiveRun.execute)
        finally:
            self._places.release()

    def _claim(self, delivery: Delivery) -> Document | None:
        execution_id = delivery.message.body.get("execution_id", "")
        if not ObjectId.is_valid(execution_id):
            LOG.error("A message names no execution: %r", delivery.message.body)
            delivery.ack()
            return None
        about = {
            "liveaction.runner_info": {"hostname": socket.gethostname(), "pid": os.getpid()},
            "stream_output": self._config.actionrunner.stream_output,
        }
        try:
            stored = self._executions.claim(execution_id, self._slot.owner, lease_until(), about)
        except PyMongoError as error:
            LOG.warning("Execution %s goes back to the queue: %s", execution_id, error)
            delivery.requeue()
            return None
        delivery.ack()
        if stored is None:
            LOG.info("Execution %s is not there to be run: claimed before, ended, or gone", execution_id)
            return None
        self._workshop.events.updated(stored, Status.SCHEDULED)
        self._workshop.events.updated(stored)
        return stored

    def _run(self, run: ActiveRun, verb: Any) -> None:
        with self._lock:
            self._active[run.execution_id] = run
        try:
            verb(run)
        finally:
            run.done.set()
            with self._lock:
                if self._active.get(run.execution_id) is run:
                    del self._active[run.execution_id]

    # Going on with what runs already.

    def _recover(self) -> None:
        """Take up the runs of an earlier process in this place. They need no free place: they run already."""
        kept = {info.run: info for info in self._keeper.runs()}
        for name in sorted(kept.keys() | self._keeper.run_directories()):
            execution_id, _, attempt = name.rpartition(".")
            stored = until_done("recovering", lambda: self._executions.get(execution_id))  # noqa: B023 - called at once
            if not stored or stored["attempt"] != int(attempt) or stored["status"] in COMPLETED:
                LOG.warning("Run %s is nobody's: ending it", name)
                self._keeper.kill(name)
                self._keeper.forget(name)
            elif name in kept:
                LOG.info("Taking up execution %s again", execution_id)
                self._in_background(ActiveRun(self._workshop, stored, kept[name].exited), ActiveRun.resume)
            else:
                self._in_background(ActiveRun(self._workshop, stored), ActiveRun.salvage)
        self._release_never_started()

    def _release_never_started(self) -> None:
        """Executions that an earlier process claimed and did not come to start go back to the queue."""
        for stored in until_done("recovering", lambda: self._executions.held_by(self._slot.owner)):
            execution_id = str(stored["_id"])
            if execution_id in self._snapshot():
                continue
            if stored["status"] == Status.CANCELING:
                self._in_background(ActiveRun(self._workshop, stored), ActiveRun.salvage)
            elif self._executions.change(execution_id, Status.REQUESTED, attempt=stored["attempt"]):
                self._transport.publish(
                    EXECUTIONS_TO_RUN.exchange, EXECUTIONS_TO_RUN.routing_key, {"v": 1, "execution_id": execution_id}
                )

    def _in_background(self, run: ActiveRun, verb: Any) -> None:
        with self._lock:
            self._active[run.execution_id] = run
        threading.Thread(target=self._run, args=(run, verb), daemon=True).start()

    # What others tell.

    def _on_cancel(self, message: Message) -> None:
        run = self._snapshot().get(message.body["execution_id"])
        if run:
            run.cancel()

    def _on_keeper_event(self, run_name: str, exited: bool) -> None:
        run = self._snapshot().get(run_name.rpartition(".")[0])
        if run and run.name == run_name:
            run.wake(exited)

    def _on_keeper_lost(self) -> None:
        """The keeper died, and its children with it: end what they ran, start anew."""
        if self._stopping:
            return
        LOG.error("The keeper is gone: storing what is left of its runs")
        lost = self._snapshot()
        for run in lost.values():
            run.detach()
        for run in lost.values():
            run.done.wait()
        self._keeper.start_or_attach()
        for run in lost.values():
            self._in_background(run.successor(), ActiveRun.salvage)
