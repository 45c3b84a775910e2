"""From events to executions: exactly one for each rule and event, and a record of each success and failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from oslo_config import cfg
from pymongo.database import Database

from st2common.models import actions
from st2common.models.rule_enforcements import COLLECTION, to_api
from st2common.models.trigger_instances import TriggerInstances
from st2common.services.rules import delete_rule, update_rule
from st2common.services.traces import get_trace
from st2common.transport.memory import MemoryTransport
from st2rulesengine.engine import Engine
from st2rulesengine.service import RulesEngineService
from tests.conditions import eventually

Documents = Database[dict[str, Any]]
Rule = Callable[..., dict[str, Any]]
Happen = Callable[..., str]


def enforcements(database: Documents) -> list[dict[str, Any]]:
    return [to_api(stored) for stored in database[COLLECTION].find().sort("rule.ref")]


def executions(database: Documents) -> list[dict[str, Any]]:
    return list(database["action_execution_d_b"].find().sort("start_timestamp"))


def status(database: Documents, instance_id: str) -> Any:
    return database["trigger_instance_d_b"].find_one({"_id": ObjectId(instance_id)}, {"status": 1})["status"]  # type: ignore[index]


def test_an_event_runs_the_action_of_each_rule_that_it_matches(
    engine: Engine, database: Documents, rule: Rule, happen: Happen
) -> None:
    wanted = rule(
        criteria={"trigger.body.name": {"type": "equals", "pattern": "x"}},
        action={
            "ref": "mine.act",
            "parameters": {
                "text": "got {{ trigger.body.name }} {{ trigger.body.code }}",
                "number": "{{trigger.body.count}}",
                "thing": "{{ trigger.body }}",
            },
        },
    )
    rule("other", {"trigger.body.name": {"type": "equals", "pattern": "y"}})
    rule("off", enabled=False)
    # What an event says is no template.
    body = {"name": "x", "count": 3, "code": "{{ 7 * 7 }}", "a.b": {"$c": 1}}
    instance_id = happen({"body": body})
    assert status(database, instance_id) == "pending"
    engine.process([instance_id])
    assert status(database, instance_id) == "processed"
    [execution] = executions(database)
    assert execution["parameters"] == {"text": "got x {{ 7 * 7 }}", "number": 3, "thing": body}
    assert execution["context"] == {
        "trigger_instance": {"id": instance_id, "name": None},
        "rule": {"id": wanted["id"], "name": "rule"},
        "trace_context": {"id_": instance_id},
        "user": "stanley",
        "pack": "mine",
    }
    [enforcement] = enforcements(database)
    assert enforcement == {
        "id": enforcement["id"],
        "enforced_at": enforcement["enforced_at"],
        "trigger_instance_id": instance_id,
        "execution_id": str(execution["_id"]),
        "rule": {"ref": "mine.rule", "uid": "rule:mine:rule", "id": wanted["id"]},
        "status": "succeeded",
    }


def test_the_trace_has_the_event_the_rule_and_the_execution(
    engine: Engine, database: Documents, rule: Rule, happen: Happen
) -> None:
    wanted = rule()
    instance_id = happen(trace_context={"trace_tag": "deploy-7"})
    engine.process([instance_id])
    [execution] = executions(database)
    trace = get_trace(database, execution["context"]["trace_context"]["id_"])
    assert trace["trace_tag"] == "deploy-7"
    assert [item["object_id"] for item in trace["trigger_instances"]] == [instance_id]
    [ran] = trace["rules"]
    assert (ran["ref"], ran["caused_by"]) == ("mine.rule", {"type": "trigger_instance", "id": instance_id})
    [started] = trace["action_executions"]
    assert (started["object_id"], started["ref"]) == (str(execution["_id"]), "mine.act")
    assert started["caused_by"] == {"type": "rule", "id": f"{wanted['id']}:{instance_id}"}
    # What follows from the execution joins it.
    following = happen(trace_context={"id_": trace["id"]})
    engine.process([following])
    assert len(get_trace(database, trace["id"])["trigger_instances"]) == 2


def test_nothing_happens_twice(engine: Engine, database: Documents, rule: Rule, happen: Happen) -> None:
    rule()
    instance_id = happen()
    for _ in range(2):
        engine.process([instance_id, instance_id])
    everything = enforcements(database), executions(database), get_trace(database, instance_id)
    assert (len(everything[0]), len(everything[1])) == (1, 1)
    instances = TriggerInstances(database).collection
    for enforcements_stored in (True, False):
        # An engine that has died just before, or just after, it stored the enforcement.
        if not enforcements_stored:
            database[COLLECTION].delete_many({})
        instances.update_many({}, {"$set": {"status": "pending"}})
        engine.process([instance_id], repeated=True)
        assert [each["execution_id"] for each in enforcements(database)] == [each["id"] for each in everything[0]]
        assert executions(database) == everything[1]
        assert get_trace(database, instance_id) == everything[2]


@pytest.mark.parametrize(
    ("change", "reason", "has_execution"),
    [
        ({"action": {"ref": "mine.nosuch"}}, 'Action "mine.nosuch" cannot be found.', False),
        ({"action": {"ref": "mine.off"}}, "is disabled", False),
        ({"action": {"ref": "mine.act", "parameters": {"zzz": 1}}}, "'zzz' was unexpected", False),
        ({"action": {"ref": "mine.act", "parameters": {"number": "{{trigger.a}}x"}}}, "invalid literal", False),
        ({"action": {"ref": "mine.act", "parameters": {"text": "{{trigger.nosuch}}"}}}, "nosuch", True),
        ({"criteria": {"trigger.nosuch": {"type": "lt", "pattern": 3}}}, "the value is missing", False),
        ({"criteria": {"trigger.a": {"type": "eq", "pattern": "{{ nosuch }}"}}}, "'nosuch' is undefined", False),
        ({"criteria": {"trigger.a": {"type": "search", "pattern": {}}}}, "search needs a condition", False),
    ],
)
def test_each_failure_is_recorded_and_the_others_go_on(
    engine: Engine,
    database: Documents,
    rule: Rule,
    happen: Happen,
    change: dict[str, Any],
    reason: str,
    has_execution: bool,
) -> None:
    rule("bad", **change)
    rule("good")
    instance_id = happen()
    engine.process([instance_id])
    failed, succeeded = enforcements(database)
    assert succeeded["status"] == "succeeded"
    assert failed["status"] == "failed"
    assert reason in failed["failure_reason"]
    if "criteria" in change:
        assert failed["failure_reason"].startswith(
            f'Failed to match rule "mine.bad" against trigger instance "{instance_id}": criteria'
        )
    assert ("execution_id" in failed) is has_execution
    ran = [str(each["_id"]) for each in executions(database)]
    assert sorted(ran) == sorted(each["execution_id"] for each in (failed, succeeded) if "execution_id" in each)
    trace = get_trace(database, instance_id)
    assert {item["object_id"] for item in trace["action_executions"]} == set(ran)
    # Seeing to it once more tells the same.
    database[COLLECTION].delete_many({})
    TriggerInstances(database).collection.update_many({}, {"$set": {"status": "pending"}})
    engine.process([instance_id], repeated=True)
    assert [each.get("failure_reason") for each in enforcements(database)] == [failed["failure_reason"], None]


def test_a_rule_counts_from_the_moment_that_it_is_stored(
    engine: Engine, database: Documents, rule: Rule, happen: Happen
) -> None:
    engine.process([happen()])
    stored = rule()
    engine.process([happen()])
    assert len(executions(database)) == 1
    update_rule(None, "mine.rule", {**stored, "enabled": False})
    engine.process([happen()])
    update_rule(None, "mine.rule", {**stored, "criteria": {"trigger.a": {"type": "eq", "pattern": 2}}})
    engine.process([happen({"a": 1}), happen({"a": 2})])
    assert len(executions(database)) == 2
    delete_rule(None, "mine.rule")
    engine.process([happen({"a": 2})])
    assert len(executions(database)) == 2


def test_a_backstop_runs_when_nothing_else_does(
    engine: Engine, database: Documents, rule: Rule, happen: Happen
) -> None:
    rule("first", {"trigger.a": {"type": "eq", "pattern": 1}})
    rule("rest", type={"ref": "backstop"})
    engine.process([happen({"a": 1}), happen({"a": 2})])
    assert [each["rule"]["ref"] for each in enforcements(database)] == ["mine.first", "mine.rest"]


def test_patterns_and_paths_read_the_datastore(engine: Engine, database: Documents, rule: Rule, happen: Happen) -> None:
    database["key_value_pair_d_b"].insert_one({"scope": "st2kv.system", "name": "limits.a", "value": "1"})
    rule("pattern", {"trigger.a": {"type": "eq", "pattern": "{{ st2kv.system.limits.a | int }}"}})
    rule("path", {"system['limits.a']": {"type": "eq", "pattern": "1"}})
    rule("missing", {"system.nosuch": {"type": "exists", "pattern": True}})
    engine.process([happen({"a": 1})])
    assert [each["rule"]["ref"] for each in enforcements(database)] == ["mine.path", "mine.pattern"]


def test_limits(
    config: cfg.ConfigOpts, database: Documents, memory_transport: MemoryTransport, rule: Rule, happen: Happen
) -> None:
    config.set_override("rule_rate_limit", 3, group="rulesengine")
    config.set_override("rule_loop_limit", 2, group="rulesengine")
    engine = Engine(config, database, memory_transport)
    rule()
    first = happen()
    engine.process([first])
    engine.process([happen(trace_context={"id_": first}) for _ in range(3)])
    engine.process([happen(), happen()])
    told = [each.get("failure_reason", "") for each in database[COLLECTION].find().sort("enforced_at")]
    # Those of events that are processed together come in any order.
    assert sorted("looks like a loop" in reason for reason in told[:4]) == [False, False, True, True]
    assert not any("looks like a loop" in reason for reason in told[4:])
    assert sorted("3 times a minute" in reason for reason in told[4:]) == [False, True]
    assert not any("3 times a minute" in reason for reason in told[:4])
    assert len(executions(database)) == 3


def test_an_action_that_is_made_later_is_found(engine: Engine, database: Documents, rule: Rule, happen: Happen) -> None:
    rule(action={"ref": "mine.later"})
    engine.process([happen()])
    actions.save(actions.Action.from_metadata({"pack": "mine", "name": "later", "runner_type": "noop"}))
    engine.process([happen()])
    assert [each["status"] for each in database[COLLECTION].find().sort("enforced_at")] == ["failed", "succeeded"]


@pytest.mark.parametrize("published_again", [True, False])
def test_what_has_failed_once_stays_so_though_its_cause_is_gone(
    engine: Engine, database: Documents, rule: Rule, happen: Happen, published_again: bool
) -> None:
    rule(action={"ref": "mine.later"})
    instance_id = happen()
    engine.process([instance_id])
    # The engine has died before it could say that it was done, and the event comes by the same message or another.
    more = {"republish_at": 1} if published_again else {}
    TriggerInstances(database).collection.update_many({}, {"$set": {"status": "pending", **more}})
    actions.save(actions.Action.from_metadata({"pack": "mine", "name": "later", "runner_type": "noop"}))
    engine.process([instance_id], repeated=not published_again)
    assert status(database, instance_id) == "processed"
    assert [each["status"] for each in enforcements(database)] == ["failed"]
    assert executions(database) == []


def test_the_service_takes_what_is_published(
    config: cfg.ConfigOpts, database: Documents, memory_transport: MemoryTransport, rule: Rule, happen: Happen
) -> None:
    rule()
    before = happen()
    service = RulesEngineService(config=config, database=database, transport=memory_transport)
    service.start()
    try:
        after = [happen() for _ in range(20)]
        memory_transport.publish("st2.trigger_instances_dispatch", "trigger_instance", {"trigger_instance_id": "x"})
        memory_transport.publish("st2.trigger_instances_dispatch", "trigger_instance", {})
        eventually(lambda: {status(database, each) for each in (before, *after)} == {"processed"})
        assert service.health() is None
    finally:
        service.stop(5.0)
    assert len(executions(database)) == 21
