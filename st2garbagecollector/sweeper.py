"""Publishes again what was accepted and never claimed, and events that no rules engine has seen to.

Both are stored before they are published. When whoever stored them dies in between, or a broker loses what it had
taken, they would wait for ever. Publishing one twice does no harm: a runner claims it once, an engine acts on it once.
"""

from __future__ import annotations

import logging

from st2common import metrics
from st2common.clock import now_us
from st2common.errors import TransportError
from st2common.models.executions import Executions
from st2common.models.trigger_instances import TriggerInstances
from st2common.services.trigger_dispatch import publish_instance
from st2common.services.work_queue import publish_execution
from st2common.transport.port import Transport

LOG = logging.getLogger(__name__)

# Seconds after which what nobody has taken is published again.
PATIENCE = 10.0

BATCH = 500


class Sweeper:
    name = "sweeper"
    interval = 2.0
    rest = 0.0

    def __init__(self, executions: Executions, transport: Transport, patience: float = PATIENCE) -> None:
        self._executions = executions
        self._transport = transport
        self._patience_us = int(patience * 1_000_000)

    def run(self) -> bool:
        now = now_us()
        waiting = self._executions.unclaimed(now - self._patience_us, BATCH)
        for execution in waiting:
            execution_id = str(execution["_id"])
            try:
                publish_execution(self._transport, execution)
            except TransportError as error:
                LOG.warning("Execution %s is not queued, the broker does not take it: %s", execution_id, error)
                return False
            # It may wait in a long queue rather than be lost. Waiting as long again as it has waited so far keeps
            # the copies few: one more each time its age doubles.
            age = now - execution["start_timestamp"]
            self._executions.republished(execution_id, now + max(age, self._patience_us))
            metrics.REPUBLISHED.inc()
            LOG.info("Published execution %s again: no runner claimed it in %d s", execution_id, age // 1_000_000)
        return len(waiting) == BATCH


class InstanceSweeper:
    name = "sweeper of trigger instances"
    interval = 2.0
    rest = 0.0

    def __init__(self, instances: TriggerInstances, transport: Transport, patience: float = PATIENCE) -> None:
        self._instances = instances
        self._transport = transport
        self._patience_us = int(patience * 1_000_000)

    def run(self) -> bool:
        now = now_us()
        waiting = self._instances.unprocessed(now - self._patience_us, BATCH)
        for instance in waiting:
            # As with executions: it may wait in a long queue. Noted first, since engines look at what has two messages
            # more closely.
            age = now - instance["occurrence_time"]
            self._instances.republished(instance["_id"], now + max(age, self._patience_us))
            try:
                publish_instance(self._transport, instance["_id"])
            except TransportError as error:
                LOG.warning("Trigger instance %s is not queued: %s", instance["_id"], error)
                self._instances.republished(instance["_id"], now)
                return False
        if waiting:
            LOG.info("Published %d trigger instances again: no engine has seen to them", len(waiting))
        return len(waiting) == BATCH
