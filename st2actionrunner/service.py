"""The dispatcher: claims executions, runs them, and takes up again what an earlier process of this runner has begun."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bson import ObjectId
from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2actionrunner.active_run import ActiveRun
from st2actionrunner.active_runs import ActiveRuns
from st2actionrunner.intake import Intake
from st2actionrunner.keeper_client import KeeperClient, KeeperError
from st2actionrunner.keepers import Keepers
from st2actionrunner.leases import LeaseKeeper, lease_until
from st2actionrunner.requests import RequestBuilder
from st2actionrunner.runners.registry import Runners
from st2actionrunner.runners.settings import RunnerSettings
from st2actionrunner.slots import Slot
from st2actionrunner.workshop import Workshop
from st2common import metrics
from st2common.auth import action_tokens
from st2common.clock import now_us
from st2common.logging.context import EXECUTION_ID
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.statuses import COMPLETED, Status
from st2common.output.doorbell import Doorbell
from st2common.output.mongo_log import MongoOutputLog
from st2common.retry import until_done
from st2common.services.events import ExecutionEvents
from st2common.services.work_queue import queue_execution
from st2common.transport.port import Delivery, Message, Transport
from st2common.transport.topology import CANCEL, SECRETS

LOG = logging.getLogger(__name__)

# Seconds between two tries to start a keeper.
_KEEPER_INTERVAL = 1.0

# What a claimed execution may be when its runner restarts.
_HELD = frozenset({Status.RUNNING, Status.CANCELING})


class RunnerService:
    name = "st2actionrunner"

    def __init__(self, *, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._config = config
        self._transport = transport
        self._executions = Executions(database)
        self._log = MongoOutputLog(database)
        self._runs = ActiveRuns()
        self._intake = Intake(transport, config.actionrunner.actions_pool_size, self._take)
        self._stopping = False
        self._draining = False

    def start(self) -> None:
        config = self._config
        self._slot = Slot(Path(config.system.state_path))
        until_done("Making indexes", self._executions.ensure_indexes)
        until_done("Making indexes", self._log.ensure_indexes)
        self._keepers = Keepers(self._slot.directory / "keepers", self._on_keeper_event, self._on_keeper_lost)
        self._keepers.start_or_attach()
        self._workshop = Workshop(
            executions=self._executions,
            events=ExecutionEvents(self._transport),
            log=self._log,
            doorbell=Doorbell(self._transport),
            keepers=self._keepers,
            runners=Runners(RunnerSettings.from_config(config), self._transport),
            requests=RequestBuilder(config, self._executions.collection.database),
            flush_interval=config.actionrunner.output_flush_interval,
            max_output_bytes=config.actionrunner.max_output_bytes,
        )
        self._leases = LeaseKeeper(self._executions, self._slot.owner, self._runs.all)
        self._recover()
        self._news = self._transport.subscribe(self._on_news, self._leases.renew_now)
        self._news.bind(CANCEL, self._slot.owner)
        self._news.bind(SECRETS, self._slot.owner)
        # After the binding: what was told before it is found by the first renewal.
        self._leases.start()
        metrics.RUNNING.set_function(lambda: len(self._runs.all()))
        metrics.SPOOL_BYTES.set_function(lambda: sum(run.spooled() for run in self._runs.all().values()))
        self._intake.start()

    def stop(self, deadline: float) -> None:
        """Take no new work, then leave the running children to the keeper: their next runner goes on with them."""
        # The order matters: no new runs, then no more writes, then the leases are handed over, then the keeper is left.
        end = time.monotonic() + deadline
        self._stopping = True
        self._intake.stop()
        self._news.stop()
        self._runs.wait_for_claims(end - time.monotonic())
        left = self._runs.all()
        for run in left.values():
            run.detach()
        self._runs.wait_for_none(end - time.monotonic())
        self._leases.stop(left)
        self._keepers.close()
        self._slot.release()
        if left:
            LOG.info("Left %d running actions to their keeper", len(left))

    def drain(self) -> None:
        LOG.info("No new executions are taken from now on")
        self._draining = True
        self._intake.stop()

    def health(self) -> str | None:
        if not self._draining and not self._intake.healthy():
            return "the broker is away: no new executions are taken"
        if not self._keepers.healthy():
            return "the keeper does not answer: no new actions can be started"
        return self._leases.problem

    # Taking executions.

    def _take(self, delivery: Delivery) -> None:
        execution_id = delivery.message.body.get("execution_id", "")
        if not ObjectId.is_valid(execution_id):
            LOG.error("A message names no execution: %r", delivery.message.body)
            delivery.ack()
            return
        if not self._runs.begin_claim(execution_id):
            delivery.ack()
            return
        run = None
        try:
            if self._stopping:
                delivery.requeue()
                return
            stored = self._claim(execution_id)
            delivery.ack()
            if stored is None:
                LOG.info("Execution %s is not there to be run: claimed before, ended, or gone", execution_id)
                return
            metrics.DISPATCH_LATENCY.observe(max(0, now_us() - stored["start_timestamp"]) / 1_000_000)
            LOG.info("Execution %s of %s begins", execution_id, stored["action"]["ref"])
            run = ActiveRun(self._workshop, stored)
        finally:
            self._runs.end_claim(execution_id, run)
        self._run(run, run.execute)

    def _claim(self, execution_id: str) -> Document | None:
        token = action_tokens.new_token(execution_id) if self._config.auth.enable else None
        about = {
            **action_tokens.claimed_with(token),
            "liveaction.runner_info": {"hostname": socket.gethostname(), "pid": os.getpid()},
            "stream_output": self._config.actionrunner.stream_output,
        }
        answer_lost = False

        def step() -> Document | None:
            nonlocal answer_lost
            try:
                stored = self._executions.claim(execution_id, self._slot.owner, lease_until(), about)
            except PyMongoError:
                answer_lost = True
                raise
            if stored is None and answer_lost:
                # Refused, perhaps because an earlier try was successful and only its answer did not arrive.
                found = self._executions.get(execution_id)
                return found if found and found["status"] in _HELD and found["owner"] == self._slot.owner else None
            return stored

        claimed = until_done(f"Execution {execution_id}", step)
        return {**claimed, action_tokens.PLAIN: token} if claimed else None

    def _run(self, run: ActiveRun, verb: Callable[[], None]) -> None:
        EXECUTION_ID.set(run.execution_id)
        try:
            verb()
        finally:
            self._runs.remove(run)

    # Going on with what runs already.

    def _recover(self) -> None:
        """Take up the runs of an earlier process in this place. They need no free place: they run already."""
        found = {name: run for name in self._keepers.run_directories() if (run := self._found(name))}
        for run in found.values():
            self._runs.add(run)
        # Asked only now, so that every end after the answer is told to a run that we know.
        kept = {info.run: info for info in self._keepers.runs()}
        for name in (kept.keys() | self._keepers.run_directories()) - found.keys():
            LOG.warning("Run %s is nobody's: ending it", name)
            self._keepers.kill(name)
            self._keepers.forget(name)
        for name, run in found.items():
            LOG.info("Taking up execution %s again", run.execution_id)
            if name not in kept:
                run.lose()
            elif kept[name].exited:
                run.wake(exited=True)
            threading.Thread(target=self._run, args=(run, run.resume), daemon=True).start()
        self._release_never_started({run.execution_id for run in found.values()})

    def _found(self, name: str) -> ActiveRun | None:
        """The run of that name, if its execution still waits for it."""
        execution_id = name.rpartition(".")[0]
        stored = until_done("Recovering", lambda: self._executions.get(execution_id))
        if not stored or stored["status"] in COMPLETED:
            return None
        run = ActiveRun(self._workshop, stored)
        return run if run.name == name and stored["owner"] == self._slot.owner else None

    def _release_never_started(self, started: set[str]) -> None:
        """Executions that an earlier process claimed and did not come to start go back to the queue."""
        for stored in until_done("Recovering", lambda: self._executions.held_by(self._slot.owner)):
            execution_id = str(stored["_id"])
            if execution_id in started:
                continue
            if stored["status"] == Status.CANCELING:
                run = ActiveRun(self._workshop, stored)
                self._runs.add(run)
                # Canceled before it starts: this ends its log and then the execution.
                threading.Thread(target=self._run, args=(run, run.execute), daemon=True).start()
            else:
                self._release(stored)

    def _release(self, execution: Document) -> None:
        execution_id = str(execution["_id"])
        LOG.warning("Execution %s was claimed and not started: it goes back to the queue", execution_id)
        released = until_done(
            "Recovering",
            lambda: self._executions.change(execution_id, Status.REQUESTED, attempt=execution["attempt"]),
        )
        if released:
            self._workshop.events.updated(released)
        queue_execution(self._transport, execution)

    # What others tell.

    def _on_news(self, message: Message) -> None:
        if message.exchange == CANCEL:
            self._runs.cancel(message.body["execution_id"])
        else:
            # Secrets stay in the database: a renewal looks at what has changed there.
            self._leases.renew_now()

    def _on_keeper_event(self, run_name: str, exited: bool) -> None:
        run = self._runs.get(run_name.rpartition(".")[0])
        if run and run.name == run_name:
            run.wake(exited)

    def _on_keeper_lost(self, keeper: KeeperClient) -> None:
        """The keeper died. The next one ends the children, and their runs store what is left."""
        LOG.error("The keeper is gone: starting another one")
        while not self._stopping:
            try:
                keeper.start_or_attach()
                # In this order: what was spawned and the new keeper does not know was spawned by the lost one.
                spawned = [run for run in self._runs.all().values() if run.is_spawned()]
                kept = {info.run for info in self._keepers.runs()}
            except KeeperError as error:
                LOG.error("There is no keeper: %s", error)
                time.sleep(_KEEPER_INTERVAL)
            else:
                for run in spawned:
                    if run.name not in kept:
                        run.lose()
                return
