"""Rules engines that are killed while events come in: each rule acts exactly once for each event."""

from __future__ import annotations

import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from st2api import service
from st2common.content import registrar, rule_metadata
from st2common.models import actions, connection, runner_types
from st2common.models.actions import Action
from st2common.models.runner_types import RunnerType
from st2common.models.trigger_instances import TriggerInstances
from st2common.services.rules import save_rule
from st2common.services.trigger_dispatch import dispatch_trigger
from st2common.services.triggers import save_trigger_type
from st2common.transport.amqp import AmqpTransport
from st2garbagecollector.sweeper import InstanceSweeper
from tests.conditions import eventually
from tests.servers import running_database

Documents = Database[dict[str, Any]]

_PROCESS = Path(__file__).parent / "rules_engine_process.py"
# Threads that dispatch at once.
_SOURCES = 4
# Seconds that one part of it may take, on a machine that has much else to do.
_PATIENCE = 600


@pytest.fixture
def prefix() -> str:
    return f"test{secrets.token_hex(6)}"


@pytest.fixture
def database_uri(tmp_path: Path) -> Iterator[str]:
    """A server of its own: what the test leaves takes longer to drop than to make away with."""
    with running_database(tmp_path / "database") as server:
        yield server.uri


@pytest.fixture
def database(database_uri: str) -> Iterator[Documents]:
    yield connection.connect(database_uri, "rules")
    connection.disconnect()


@pytest.fixture
def transport(rabbitmq_url: str, prefix: str) -> Iterator[AmqpTransport]:
    made = AmqpTransport(rabbitmq_url, prefix=prefix)
    yield made
    made.close()


@pytest.fixture
def engine(
    database: Documents, database_uri: str, rabbitmq_url: str, prefix: str
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        words = [sys.executable, str(_PROCESS), database_uri, database.name, rabbitmq_url, prefix]
        started.append(subprocess.Popen(words))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def _content(database: Documents, transport: AmqpTransport) -> None:
    service.prepare(database, transport)
    registrar.ensure_indexes()
    save_trigger_type(None, {"pack": "mine", "name": "event"})
    runner = {"name": "noop", "description": "", "runner_package": "r", "runner_module": "r", "runner_parameters": {}}
    runner_types.save(RunnerType.from_metadata(runner))
    parameters = {"number": {"type": "integer"}}
    actions.save(Action.from_metadata({"pack": "mine", "name": "act", "runner_type": "noop", "parameters": parameters}))
    even = {"trigger.even": {"type": "equals", "pattern": True}}
    for name, ref, criteria in (("all", "act", {}), ("even", "act", even), ("broken", "nosuch", even)):
        rule = {
            "pack": "mine",
            "name": name,
            "enabled": True,
            "trigger": {"type": "mine.event"},
            "criteria": criteria,
            "action": {"ref": f"mine.{ref}", "parameters": {"number": "{{ trigger.number }}"}},
        }
        save_rule(None, rule_metadata.complete(rule))


@pytest.mark.parametrize(
    ("events", "kills"),
    [
        (60, 2),
        pytest.param(10_000, 20, marks=[pytest.mark.full, pytest.mark.timeout(1800)]),
    ],
)
def test_each_rule_acts_once_for_each_event(
    database: Documents,
    transport: AmqpTransport,
    engine: Callable[[], subprocess.Popen[bytes]],
    events: int,
    kills: int,
) -> None:
    _content(database, transport)
    chance = random.Random(7)
    dispatched: list[tuple[str, int]] = []

    def dispatch(numbers: range) -> None:
        for number in numbers:
            payload = {"number": number, "even": number % 2 == 0}
            instance = dispatch_trigger(database, transport, trigger="mine.event", payload=payload)
            dispatched.append((str(instance["_id"]), number))

    sources = [threading.Thread(target=dispatch, args=(range(n, events, _SOURCES),)) for n in range(_SOURCES)]
    for source in sources:
        source.start()
    instances = TriggerInstances(database).collection
    enforcements = database["rule_enforcement_d_b"]
    for kill in range(kills):
        process = engine()
        # Killed in the midst of its work: after a share of the events, and a little more.
        share = events * (kill + 1) // (kills + 1)
        eventually(lambda share=share: len(dispatched) >= share, _PATIENCE)  # type: ignore[misc]
        last_of_share = {"_id": ObjectId(dispatched[share - 1][0]), "status": "processed"}
        eventually(lambda wanted=last_of_share: instances.find_one(wanted), _PATIENCE)  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
    engine(), engine()
    for source in sources:
        source.join()
    sweeper = InstanceSweeper(TriggerInstances(database), transport)

    def all_are_seen_to() -> bool:
        return instances.find_one({"status": "pending"}) is None and not sweeper.run()

    eventually(all_are_seen_to, _PATIENCE, interval=InstanceSweeper.interval if events > 1000 else 0.1)
    assert instances.count_documents({"status": "processed"}) == events

    expected = Counter(
        (rule, instance_id, number)
        for instance_id, number in dispatched
        for rule in ("all", "even", "broken")
        if rule == "all" or number % 2 == 0
    )
    enforced: Counter[tuple[str, str]] = Counter()
    for enforcement in enforcements.find():
        rule = enforcement["rule"]["ref"].removeprefix("mine.")
        enforced[rule, enforcement["trigger_instance_id"]] += 1
        assert (enforcement["status"] == "failed") is (rule == "broken")
        assert ("execution_id" in enforcement) is (rule != "broken")
    assert enforced == Counter((rule, instance_id) for rule, instance_id, _ in expected)
    ran = Counter(
        (each["context"]["rule"]["name"], each["context"]["trigger_instance"]["id"], each["parameters"]["number"])
        for each in database["action_execution_d_b"].find()
    )
    assert ran == Counter(each for each in expected if each[0] != "broken")
