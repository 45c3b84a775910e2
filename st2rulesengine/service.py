"""The rules engine: what happens to trigger instances. Several may run; each message goes to one of them."""

from __future__ import annotations

import os
import socket

from oslo_config import cfg
from pymongo.database import Database

from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.rule_enforcements import RuleEnforcements
from st2common.models.traces import Traces
from st2common.models.trigger_instances import TriggerInstances
from st2common.transport.port import Consumer, Transport
from st2common.transport.topology import EXECUTIONS_TO_RUN, TRIGGER_INSTANCES
from st2rulesengine.engine import Engine
from st2rulesengine.execution_triggers import ExecutionTriggers
from st2rulesengine.intake import PREFETCH, Intake
from st2rulesengine.timers import TimerEngine


class RulesEngineService:
    name = "st2rulesengine"

    def __init__(self, *, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._database = database
        self._transport = transport
        self._intake = Intake(Engine(config, database, transport).process)
        owner = f"{socket.gethostname()}-{os.getpid()}"
        self._execution_triggers = ExecutionTriggers(config, database, transport, owner)
        self._consumer: Consumer | None = None
        self._timers = TimerEngine(database, transport) if config.timersengine.enable else None

    def start(self) -> None:
        Executions(self._database).ensure_indexes()
        Traces(self._database).ensure_indexes()
        TriggerInstances(self._database).ensure_indexes()
        RuleEnforcements(self._database).ensure_indexes()
        self._transport.declare(EXECUTIONS_TO_RUN)
        self._intake.start()
        self._consumer = self._transport.consume(TRIGGER_INSTANCES, self._intake.take, PREFETCH)
        self._execution_triggers.start()
        if self._timers:
            self._timers.start()

    def stop(self, deadline: float) -> None:
        if self._timers:
            self._timers.stop(deadline / 3)
        self._execution_triggers.stop(deadline / 3)
        self._intake.stop(deadline / 3)
        if self._consumer is not None:
            self._consumer.stop()

    def health(self) -> str | None:
        if not self._transport.healthy():
            return "no connection to the broker"
        return self._intake.problem or (self._timers.problem if self._timers else None)
