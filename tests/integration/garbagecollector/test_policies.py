from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from st2common import config as configuration
from st2common.content import policy_metadata
from st2common.models import actions, policies, runner_types
from st2common.models.executions import Executions
from st2common.models.policies import Policy
from st2common.models.statuses import Status
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.events import ExecutionEvents
from st2common.services.executions import request_execution
from st2common.transport.memory import MemoryTransport
from st2garbagecollector import service
from st2garbagecollector.policies import PolicyKeeper
from st2garbagecollector.service import GarbageCollectorService
from tests.conditions import eventually
from tests.shell_action import ACTION, RUNNER


def test_an_end_lets_the_next_one_begin_at_once(
    monkeypatch: pytest.MonkeyPatch,
    database: Database[dict[str, Any]],
    executions: Executions,
    log: MongoOutputLog,
    transport: MemoryTransport,
    work: list[str],
) -> None:
    # Seconds. Only an event can wake the collector in time.
    monkeypatch.setattr(service, "TICK", 3600.0)
    monkeypatch.setattr(PolicyKeeper, "interval", 3600.0)
    runner_types.save(runner_types.RunnerType.from_metadata(RUNNER))
    actions.save(actions.Action.from_metadata(ACTION))
    few = {"pack": "mine", "name": "few", "resource_ref": "core.local", "policy_type": "action.concurrency"}
    policies.save(Policy.from_metadata(policy_metadata.complete({**few, "parameters": {"threshold": 1}})))
    first, second = (
        str(request_execution(database, transport, action_ref="core.local", parameters={"cmd": "x"}, user="a")["_id"])
        for _ in range(2)
    )
    collector = GarbageCollectorService(
        config=configuration.load([], "st2test"), database=database, transport=transport
    )
    collector.start()
    try:
        executions.claim(first, "runner", 2**62, {})
        ended = executions.change(first, Status.SUCCEEDED)
        assert ended is not None

        def told_and_released() -> bool:
            # Once more each time: the collector may not have listened yet.
            ExecutionEvents(transport).updated(ended)
            return executions.status(second) is Status.REQUESTED

        eventually(told_and_released)
        eventually(lambda: work == [first, second])
        assert collector.health() is None
    finally:
        collector.stop(5)
