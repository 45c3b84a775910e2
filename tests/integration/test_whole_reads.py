"""What is asked of the database all the time makes the embedded one read no whole collection.

It does for a condition with a logical operator, for find-and-modify, and for one on both fields of an index with more
beside them; ten thousand executions then stand still for a tenth of a second, and the lines of all actions with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg
from pymongo import MongoClient, monitoring
from pymongo.database import Database

from st2common import config as configuration
from st2common.models import execution_list, indexes
from st2common.models.connection import DURABLE
from st2common.models.execution_list import of_filters
from st2common.models.keys import SYSTEM_SCOPE, Keys
from st2common.models.trigger_types import NOTIFY
from st2common.transport.memory import MemoryTransport
from st2garbagecollector.service import GarbageCollectorService
from st2rulesengine.execution_triggers import ExecutionTriggers
from tests.conditions import eventually

EXECUTIONS, INSTANCES, KEYS = "action_execution_d_b", "trigger_instance_d_b", "key_value_pair_d_b"

Asked = tuple[str, dict[str, Any]]


class _Conditions(monitoring.CommandListener):
    """Each condition that the server was asked to look for, and of which collection."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        command = event.command
        collection = str(command.get(event.command_name))
        match event.command_name:
            case "find":
                self.asked.append((collection, command["filter"]))
            case "update":
                self.asked += [(collection, each["q"]) for each in command["updates"]]
            case "delete":
                self.asked += [(collection, each["q"]) for each in command["deletes"]]
            case "aggregate":
                self.asked += [(collection, each["$match"]) for each in command["pipeline"] if "$match" in each]
            case "findAndModify":  # reads all, whatever is asked for
                self.asked.append((collection, {"$and": [command["query"]]}))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """What is asked counts."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """What is asked counts."""

    def of(self, collection: str) -> list[dict[str, Any]]:
        return [condition for asked, condition in list(self.asked) if asked == collection]

    def reading_all(self) -> list[Asked]:
        large = (EXECUTIONS, INSTANCES, KEYS)
        return [each for each in self.asked if each[0] in large and _reads_all(*each)]


def _reads_all(collection: str, condition: dict[str, Any]) -> bool:
    if any(field.startswith("$") for field in condition):
        return True
    if "_id" in condition:
        return False
    fields = [list(index.document["key"]) for index in indexes.expected()[collection]]
    if any([field] in fields for field in condition):
        return False
    used = [each for each in fields if each[0] in condition]
    return not used or any(set(each) < set(condition) for each in used if len(each) > 1)


@pytest.fixture
def conditions() -> _Conditions:
    return _Conditions()


@pytest.fixture
def watched(
    database: Database[dict[str, Any]], database_uri: str, conditions: _Conditions
) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](database_uri, event_listeners=[conditions]) as client:
        yield client.get_database(database.name, write_concern=DURABLE)


@pytest.fixture
def config() -> cfg.ConfigOpts:
    return configuration.load([], "st2test")


def test_what_the_collector_looks_for(
    config: cfg.ConfigOpts,
    watched: Database[dict[str, Any]],
    memory_transport: MemoryTransport,
    conditions: _Conditions,
) -> None:
    config.set_override("action_executions_ttl", 1, group="garbagecollector")
    config.set_override("trigger_instances_ttl", 1, group="garbagecollector")
    collector = GarbageCollectorService(config=config, database=watched, transport=memory_transport)
    collector.start()
    try:
        # Republished, rescued and purged; counted, and the events seen to.
        eventually(lambda: any("republish_at" in each for each in conditions.of(EXECUTIONS)))
        eventually(lambda: any("lease_until" in each for each in conditions.of(EXECUTIONS)))
        eventually(lambda: any("end_timestamp" in each for each in conditions.of(EXECUTIONS)))
        eventually(lambda: any(each.keys() == {"status"} for each in conditions.of(EXECUTIONS)))
        eventually(lambda: any("republish_at" in each for each in conditions.of(INSTANCES)))
    finally:
        collector.stop(10.0)
    assert conditions.reading_all() == []


def test_what_the_rules_engine_looks_for_when_executions_end(
    config: cfg.ConfigOpts,
    watched: Database[dict[str, Any]],
    memory_transport: MemoryTransport,
    conditions: _Conditions,
    database: Database[dict[str, Any]],
) -> None:
    database["rule_d_b"].insert_one({"trigger": NOTIFY, "enabled": True})
    triggers = ExecutionTriggers(config, watched, memory_transport, "engine")
    triggers.start()
    try:
        eventually(lambda: any("end_timestamp" in each for each in conditions.of(EXECUTIONS)))
    finally:
        triggers.stop(10.0)
    assert conditions.reading_all() == []


@pytest.mark.parametrize("filters", [{"status": "running"}, {"parent": "6a0000000000000000000000"}])
def test_a_list_that_fits_on_its_page_is_found_by_its_index(
    watched: Database[dict[str, Any]], conditions: _Conditions, filters: dict[str, str]
) -> None:
    collection, selection = watched[EXECUTIONS], of_filters(filters)
    total = execution_list.count(collection, selection)
    assert (total, execution_list.find(collection, selection, limit=50, total=total)) == (0, [])
    assert conditions.of(EXECUTIONS) == [filters, filters]


def test_what_the_datastore_looks_for(watched: Database[dict[str, Any]], conditions: _Conditions) -> None:
    keys = Keys(watched)
    keys.put({"scope": SYSTEM_SCOPE, "name": "city", "value": "Bern"})
    keys.put({"scope": SYSTEM_SCOPE, "name": "city", "value": "Basel"})
    found = keys.get(SYSTEM_SCOPE, "city")
    assert found is not None
    assert found["value"] == "Basel"
    assert [item["value"] for item in keys.find(SYSTEM_SCOPE, prefix="ci", names=["city"])] == ["Basel"]
    assert keys.delete(SYSTEM_SCOPE, "city") is True
    assert len(conditions.of(KEYS)) >= 5
    assert conditions.reading_all() == []
