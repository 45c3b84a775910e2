"""Rules that wait for executions: each end is told once, also what ended while no engine was there to see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oslo_config import cfg
from pymongo.database import Database

from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.models.trigger_types import ACTION, INQUIRY, NOTIFY
from st2common.services.events import ExecutionEvents
from st2common.services.executions import request_execution
from st2common.services.rules import delete_rule
from st2common.services.traces import get_trace, trace_id
from st2common.transport.memory import MemoryTransport
from st2rulesengine.execution_triggers import PROGRESS
from st2rulesengine.service import RulesEngineService
from tests.conditions import eventually

Documents = Database[dict[str, Any]]
Rule = Callable[..., dict[str, Any]]
Run = Callable[..., dict[str, Any]]
NOTIFY_ALL = {
    "on-complete": {"routes": ["chat", "mail"]},
    "on-success": {"routes": ["chat"], "message": "{{ action_parameters.text }} is done", "data": {"a": "{{ 1 + 1 }}"}},
    "on-failure": {"routes": ["pager"]},
}


@pytest.fixture
def run(database: Documents, memory_transport: MemoryTransport) -> Run:
    """An execution that has come to this status, told as runners tell it."""

    def to_status(status: Status = Status.SUCCEEDED, told: bool = True, **more: Any) -> dict[str, Any]:
        asked = {"parameters": {"text": "it", "password": "hush"}, "action_ref": "mine.act", "user": "ann", **more}
        stored = request_execution(database, memory_transport, **asked)
        executions = Executions(database)
        executions.claim(str(stored["_id"]), "runner", 0, {})
        ended = executions.change(str(stored["_id"]), status, fields={"result": {"out": 1}})
        assert ended is not None
        if told:
            ExecutionEvents(memory_transport).updated(ended)
        return ended

    return to_status


@pytest.fixture
def serve(
    config: cfg.ConfigOpts, database: Documents, memory_transport: MemoryTransport
) -> Iterator[Callable[[], Any]]:
    services: list[RulesEngineService] = []

    def start() -> RulesEngineService:
        service = RulesEngineService(config=config, database=database, transport=memory_transport)
        service.start()
        services.append(service)
        return service

    yield start
    for service in services:
        service.stop(10.0)


def events(database: Documents, trigger: str) -> list[dict[str, Any]]:
    return list(database["trigger_instance_d_b"].find({"trigger": trigger}))


def listening(database: Documents) -> None:
    eventually(lambda: database[PROGRESS].count_documents({}))


def test_the_end_of_an_execution_is_an_event_if_a_rule_wants_it(
    database: Documents, rule: Rule, run: Run, serve: Callable[[], Any]
) -> None:
    serve()
    only = {"trigger.parameters.text": {"type": "eq", "pattern": "it"}}
    rule("after", only, trigger={"type": ACTION}, action={"ref": "mine.act", "parameters": {"text": "next"}})
    listening(database)
    ended = run(Status.FAILED)
    run(Status.SUCCEEDED, parameters={"text": "other"})
    eventually(lambda: len(events(database, ACTION)) == 2)
    first = next(each for each in events(database, ACTION) if each["payload"]["execution_id"] == str(ended["_id"]))
    assert first["payload"] == {
        "execution_id": str(ended["_id"]),
        "status": "failed",
        "start_timestamp": first["payload"]["start_timestamp"],
        "action_name": "mine.act",
        "action_ref": "mine.act",
        "runner_ref": "noop",
        "parameters": {"text": "it", "password": "********"},
        "result": {"out": 1},
    }
    assert first["payload"]["start_timestamp"][10] == " "
    assert first["payload"]["start_timestamp"].endswith("+00:00")
    find = {"context.trigger_instance.id": str(first["_id"])}
    [following] = eventually(lambda: list(database["action_execution_d_b"].find(find)))
    # One thread from the first execution to the last.
    trace = get_trace(database, trace_id(ended))
    assert {item["object_id"] for item in trace["action_executions"]} == {str(ended["_id"]), str(following["_id"])}
    assert [item["ref"] for item in trace["rules"]] == ["mine.after"]
    delete_rule(None, "mine.after")
    eventually(lambda: database[PROGRESS].count_documents({}) == 0)


def test_what_ended_while_no_engine_was_there_is_told_later(
    database: Documents, rule: Rule, run: Run, serve: Callable[[], Any]
) -> None:
    rule("after", {"trigger.action_ref": {"type": "eq", "pattern": "no such"}}, trigger={"type": ACTION})
    first = serve()
    listening(database)
    seen = run()
    eventually(lambda: events(database, ACTION))
    first.stop(10.0)
    unseen = [run(told=False), run(Status.CANCELED, told=False)]
    serve()
    eventually(lambda: len(events(database, ACTION)) == 3)
    told = {each["payload"]["execution_id"] for each in events(database, ACTION)}
    assert told == {str(each["_id"]) for each in (seen, *unseen)}


def test_a_rule_hears_nothing_of_before_although_others_listened(
    database: Documents, rule: Rule, run: Run, serve: Callable[[], Any]
) -> None:
    rule("tell", trigger={"type": NOTIFY})
    serve()
    listening(database)
    before = [run(), run(notify=NOTIFY_ALL)]
    eventually(lambda: len(events(database, NOTIFY)) == 3)
    # More than the second that a rule may reach back.
    old = {"$set": {"end_timestamp": before[0]["end_timestamp"] - 5_000_000}}
    database["action_execution_d_b"].update_many({}, old)
    rule("after", {"trigger.action_ref": {"type": "eq", "pattern": "no such"}}, trigger={"type": ACTION})
    eventually(lambda: database[PROGRESS].count_documents({"_id": ACTION}))
    after = run()
    eventually(lambda: events(database, ACTION))
    assert [each["payload"]["execution_id"] for each in events(database, ACTION)] == [str(after["_id"])]
    assert len(events(database, NOTIFY)) == 3


def test_two_engines_tell_of_it_once(database: Documents, rule: Rule, run: Run, serve: Callable[[], Any]) -> None:
    rule("after", {"trigger.action_ref": {"type": "eq", "pattern": "no such"}}, trigger={"type": ACTION})
    serve(), serve()
    listening(database)
    ended = [str(run()["_id"]) for _ in range(10)]
    eventually(lambda: len(events(database, ACTION)) == 10)
    assert sorted(each["payload"]["execution_id"] for each in events(database, ACTION)) == sorted(ended)


def test_which_ends_are_told_is_configured(
    config: cfg.ConfigOpts, database: Documents, rule: Rule, run: Run, serve: Callable[[], Any]
) -> None:
    config.set_override("emit_when", ["failed"], group="action_sensor")
    rule("after", {"trigger.action_ref": {"type": "eq", "pattern": "no such"}}, trigger={"type": ACTION})
    serve()
    listening(database)
    run(Status.SUCCEEDED)
    run(Status.FAILED)
    eventually(lambda: events(database, ACTION))
    assert [each["payload"]["status"] for each in events(database, ACTION)] == ["failed"]


def test_each_route_is_notified(database: Documents, rule: Rule, run: Run, serve: Callable[[], Any]) -> None:
    rule("tell", {"trigger.route": {"type": "eq", "pattern": "chat"}}, trigger={"type": NOTIFY})
    serve()
    listening(database)
    run()
    run(notify=NOTIFY_ALL)
    run(Status.TIMEOUT, notify={"on-failure": {"routes": ["pager"], "message": "{{ nosuch }}"}})
    eventually(lambda: len(events(database, NOTIFY)) == 4)
    told = sorted((each["payload"]["route"], each["payload"]["message"]) for each in events(database, NOTIFY))
    assert told == [
        ("chat", "Action mine.act completed."),
        ("chat", "it is done"),
        ("mail", "Action mine.act completed."),
        ("pager", "{{ nosuch }}"),
    ]
    done = next(each["payload"] for each in events(database, NOTIFY) if each["payload"]["message"] == "it is done")
    assert done["data"] == {"result": '{"out": 1}', "a": "2"}
    assert done["channel"] == "chat"
    assert (done["end_timestamp"][10], done["end_timestamp"][-6:]) == ("T", "+00:00")


def test_an_inquiry_that_waits_is_told(
    database: Documents,
    memory_transport: MemoryTransport,
    rule: Rule,
    run: Run,
    serve: Callable[[], Any],
) -> None:
    rule("ask", trigger={"type": INQUIRY}, action={"ref": "mine.act", "parameters": {"text": "{{ trigger.route }}"}})
    first = serve()
    listening(database)
    ids = []
    for told in (True, False):
        if not told:
            eventually(lambda: events(database, INQUIRY))
            # The next engine finds what nobody has told.
            first.stop(10.0)
        waiting = run(Status.PENDING, told=False)
        change = {"$set": {"runner.name": "inquirer", "result": {"route": "ops"}}}
        database["action_execution_d_b"].update_one({"_id": waiting["_id"]}, change)
        ids.append(str(waiting["_id"]))
        if told:
            ExecutionEvents(memory_transport).updated({**waiting, "runner": {"name": "inquirer"}})
    serve()
    eventually(lambda: len(events(database, INQUIRY)) == 2)
    assert [each["payload"] for each in events(database, INQUIRY)] == [{"id": each, "route": "ops"} for each in ids]
