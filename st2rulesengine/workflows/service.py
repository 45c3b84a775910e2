"""The workflow engine as a service: it looks at workflows that messages name, and at those that were long silent."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time

from bson import ObjectId
from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2common.clock import now_us
from st2common.models import leases
from st2common.models.connection import Document
from st2common.models.leases import Lease
from st2common.models.statuses import Status
from st2common.models.workflow_executions import WorkflowExecutions
from st2common.retry import until_done
from st2common.transport.port import Consumer, Delivery, Transport
from st2common.transport.topology import WORKFLOWS_TO_ADVANCE
from st2rulesengine.workflows.engine import Engine
from st2rulesengine.workflows.inbox import Inbox
from st2rulesengine.workflows.progress import LOOK_AFTER_CHANGE, LOOK_AGAIN, LOOK_WHILE_PAUSED

LOG = logging.getLogger(__name__)

# Workflows that are looked at at the same time, and messages that are here while they wait for that.
_THREADS = 8
_PREFETCH = 64

# Seconds between two looks for workflows that have been silent for long, and how many are taken at once.
_INTERVAL = 1.0
_BATCH = 100

# Seconds that an engine counts as alive after it has last said so, and between two such times.
_LEASE = 30.0
_RENEW = 10.0


class WorkflowEngineService:
    name = "workflow engine"

    def __init__(self, *, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._transport = transport
        self._workflows = WorkflowExecutions(database)
        self._engine = Engine(config, database, transport)
        self._inbox = Inbox(self._look, _THREADS)
        self._consumer: Consumer | None = None
        owner = f"{socket.gethostname()}-{os.getpid()}"
        self._lease = Lease(database, f"{leases.ENGINES}{owner}", owner, _LEASE)
        self._stopping = threading.Event()
        self._problem: str | None = None
        self._sweeper = threading.Thread(target=self._sweep, name="workflow-sweeper", daemon=True)

    def start(self) -> None:
        until_done("Making indexes", self._workflows.ensure_indexes)
        self._inbox.start()
        self._consumer = self._transport.consume(WORKFLOWS_TO_ADVANCE, self._take, _PREFETCH)
        self._sweeper.start()

    def stop(self, deadline: float) -> None:
        """Finish what is in hand; all else is for other engines, or for the next one."""
        end = time.monotonic() + deadline
        self._stopping.set()
        self._inbox.stop(deadline)
        if self._consumer:
            self._consumer.stop()
        self._sweeper.join(max(0.0, end - time.monotonic()))

    def health(self) -> str | None:
        if self._consumer and not self._consumer.healthy():
            return "the broker is away: no workflows are begun, and those that run go on slowly"
        return self._problem

    def _take(self, delivery: Delivery) -> None:
        execution_id = delivery.message.body.get("execution_id", "")
        if not ObjectId.is_valid(execution_id):
            LOG.error("A message names no execution: %r", delivery.message.body)
            delivery.ack()
            return
        self._inbox.put(execution_id, delivery)

    def _look(self, execution_id: str) -> None:
        until_done(f"Workflow execution {execution_id}", lambda: self._engine.advance(execution_id))

    def _sweep(self) -> None:
        # At first also what has just changed: another engine may have died before it had done all that follows.
        until, renewed_at = now_us() + LOOK_AFTER_CHANGE, float("-inf")
        while not self._stopping.is_set():
            try:
                if time.monotonic() - renewed_at > _RENEW:
                    self._lease.acquire()
                    renewed_at = time.monotonic()
                if not self._look_at_silent(until):
                    until = 0
                self._problem = None
            except PyMongoError as error:
                LOG.warning("Workflows cannot be looked after: %s", error)
                self._problem = "the database is away"
            self._stopping.wait(_INTERVAL)
        try:
            self._lease.release()
        except PyMongoError as error:
            LOG.info("The lease runs out by itself, the database is away: %s", error)

    def _look_at_silent(self, until: int) -> bool:
        """Look at what is due, or was to be before ``until``; whether there may be more."""
        now = now_us()
        due = self._workflows.due(max(now, until), _BATCH)
        for workflow in due:
            wait = LOOK_WHILE_PAUSED if workflow["status"] == Status.PAUSED else LOOK_AGAIN
            if self._workflows.take(workflow, now + wait):
                self._inbox.put(str(workflow["_id"]))
        return len(due) == _BATCH
