"""Requesting, repeating and canceling: what is stored, what is queued, what is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from st2common.clock import now_us
from st2common.errors import NotFound, TransportError, ValidationError
from st2common.expressions.templates import TemplateError
from st2common.models import actions, runner_types
from st2common.models.execution_view import to_api
from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.output.chunk import Chunk, Run, Stream
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.cancellation import NotCancelable, cancel_execution
from st2common.services.execution_documents import MAX_BYTES
from st2common.services.executions import release_delayed, request_execution
from st2common.services.reruns import rerun_execution
from st2common.services.stored_result import storable
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Body
from st2common.transport.topology import CANCEL, EXECUTION, EXECUTIONS_TO_RUN
from tests.conditions import eventually
from tests.shell_action import ACTION, RUNNER

Documents = Database[dict[str, Any]]
Request = Callable[..., dict[str, Any]]


class Bus(MemoryTransport):
    """The in-process transport, which also remembers what it carried."""

    def __init__(self) -> None:
        super().__init__()
        self.queued: list[str] = []
        self.told: list[tuple[str, str, Body]] = []
        self.away = False

    def publish(self, exchange: str, routing_key: str, body: Body) -> None:
        if self.away:
            raise TransportError("the broker is away")
        super().publish(exchange, routing_key, body)
        self.queued.append(body["execution_id"])

    def notify(self, exchange: str, routing_key: str, body: Body) -> None:
        super().notify(exchange, routing_key, body)
        self.told.append((exchange, routing_key, body))

    def events(self) -> list[tuple[str, ...]]:
        """The keys, which are told by their parts: the verb and the status."""
        return [tuple(key.split(".")) for exchange, key, _ in self.told if exchange == EXECUTION]


@pytest.fixture
def bus() -> Iterator[Bus]:
    transport = Bus()
    transport.declare(EXECUTIONS_TO_RUN)
    yield transport
    transport.close()


@pytest.fixture
def executions(database: Documents) -> Executions:
    """With the action core.local and its runner registered."""
    executions = Executions(database)
    executions.ensure_indexes()
    MongoOutputLog(database).ensure_indexes()
    runner_types.save(runner_types.RunnerType.from_metadata(RUNNER))
    actions.save(actions.Action.from_metadata(ACTION))
    return executions


@pytest.fixture
def request_local(database: Documents, bus: Bus, executions: Executions) -> Request:
    def request(parameters: dict[str, Any], action_ref: str = "core.local", **more: Any) -> dict[str, Any]:
        return request_execution(database, bus, action_ref=action_ref, parameters=parameters, user="alice", **more)

    return request


def test_an_accepted_execution(executions: Executions, bus: Bus, request_local: Request) -> None:
    execution = request_local({"cmd": "sleep {{ timeout }}"}, context={"trace_context": {"trace_tag": "t"}})
    identity = str(execution["_id"])
    assert executions.get(identity) == execution
    shown = to_api(execution)
    assert shown["status"] == "requested"
    assert shown["parameters"] == shown["liveaction"]["parameters"] == {"cmd": "sleep 60"}
    assert shown["context"] == {"trace_context": {"trace_tag": "t"}, "user": "alice", "pack": "core"}
    assert [entry["status"] for entry in shown["log"]] == ["requested"]
    assert shown["action"]["parameters"] == ACTION["parameters"]
    assert shown["runner"]["runner_parameters"] == RUNNER["runner_parameters"]
    assert ObjectId.is_valid(shown["liveaction"]["id"])
    assert shown["liveaction"]["id"] != identity
    assert bus.queued == [identity]
    assert bus.told == [(EXECUTION, "create.requested", {"v": 1, "execution": shown, "earlier": []})]


def test_the_caller_does_not_say_who_it_is(request_local: Request) -> None:
    assert request_local({"cmd": "x"}, context={"user": "root", "pack": "other"})["context"] == {
        "user": "alice",
        "pack": "core",
    }


@pytest.mark.parametrize(
    ("action_ref", "parameters", "text"),
    [
        ("core.nosuch", {}, 'Action "core.nosuch" cannot be found.'),
        ("core", {}, 'Action "core" cannot be found.'),
        ("", {}, 'Action "" cannot be found.'),
        ("core.local", {}, "'cmd' is a required property"),
        ("core.local", {"cmd": "true", "zzz": 1}, "Additional properties are not allowed ('zzz' was unexpected)"),
        (
            "core.local",
            {"cmd": "true", "timeout": "abc"},
            "invalid literal for int() with base 10: 'abc'",
        ),
        ("core.local", {"cmd": "true", "sudo": True}, "Override of immutable parameter(s) ['sudo'] is unsupported."),
    ],
)
def test_what_is_refused_leaves_nothing(
    executions: Executions, bus: Bus, request_local: Request, action_ref: str, parameters: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        request_local(parameters, action_ref)
    assert str(raised.value) == text
    assert executions.collection.find_one({}) is None
    assert bus.told == bus.queued == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"cmd": "x", "timeout": 2**70},
        {"cmd": "\ud800"},
        {"cmd": "x", "env": {"a\0b": 1}},
        {"cmd": "x" * (MAX_BYTES + 1)},
    ],
)
def test_what_the_database_cannot_hold_is_refused(
    executions: Executions, bus: Bus, request_local: Request, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        request_local(parameters)
    assert executions.collection.find_one({}) is None
    assert bus.told == bus.queued == []


def test_the_largest_execution_has_room_for_its_end(executions: Executions, request_local: Request) -> None:
    stored = request_local({"cmd": "x" * (MAX_BYTES - 8000)})
    held = executions.claim(str(stored["_id"]), "runner", now_us(), {})
    assert held is not None
    large = {"stdout": "y" * (1024 * 1024 - 100)}
    status, result, _ = storable(Status.SUCCEEDED, large, held)
    assert (status, result) == (Status.SUCCEEDED, large)
    assert executions.end(held, status, {"result": result})
    status, result, _ = storable(Status.SUCCEEDED, {"stdout": "y" * 2 * 1024 * 1024}, held)
    assert status is Status.FAILED
    assert "too large to be stored" in result["error"]


def test_keys_that_look_like_operators_are_data(executions: Executions, request_local: Request) -> None:
    environment = {"a.b": "1", "$where": "2", "": "3"}
    execution = request_local({"cmd": "x", "env": environment})
    found = executions.get(str(execution["_id"]))
    assert found is not None
    assert found["parameters"]["env"] == environment


def test_a_disabled_action(executions: Executions, request_local: Request) -> None:
    actions.save(actions.Action.from_metadata({**ACTION, "enabled": False}))
    with pytest.raises(ValidationError, match=r'Action "core\.local" is disabled'):
        request_local({"cmd": "x"})
    assert executions.collection.find_one({}) is None


def test_a_runner_type_that_does_not_exist(executions: Executions, request_local: Request) -> None:
    actions.save(actions.Action.from_metadata({**ACTION, "runner_type": "nosuch"}))
    with pytest.raises(ValidationError, match='Runner type "nosuch"'):
        request_local({"cmd": "x"})


def test_a_template_that_fails_leaves_a_failed_execution(
    database: Documents, executions: Executions, bus: Bus, request_local: Request
) -> None:
    with pytest.raises(TemplateError):
        request_local({"cmd": "{{ nope }}", "sudo_password": "hunter2"})
    execution = executions.collection.find_one({})
    assert execution is not None
    shown = to_api(execution)
    assert shown["status"] == "failed"
    assert shown["parameters"] == {"cmd": "{{ nope }}", "sudo_password": "********"}
    assert shown["result"]["error"] == "Failed to render parameter \"cmd\": 'nope' is undefined"
    assert "Traceback" in shown["result"]["traceback"]
    assert [entry["status"] for entry in shown["log"]] == ["requested", "failed"]
    assert shown["end_timestamp"]
    assert bus.queued == []
    assert bus.events() == [("create", "failed")]
    end = MongoOutputLog(database).end(shown["id"])
    assert end is not None
    assert (end.seq, end.status) == (1, "failed")


def test_the_broker_is_away(executions: Executions, bus: Bus, request_local: Request) -> None:
    bus.away = True
    execution = request_local({"cmd": "x"})
    assert execution["status"] == "requested"
    assert executions.status(str(execution["_id"])) is Status.REQUESTED
    assert bus.events() == [("create", "requested")]
    to_run = [body["execution_id"] for exchange, _, body in bus.told if exchange == EXECUTIONS_TO_RUN.exchange]
    assert to_run == [str(execution["_id"])], "it goes out when the broker is back"


def test_a_delayed_execution(database: Documents, executions: Executions, bus: Bus, request_local: Request) -> None:
    later, soon = request_local({"cmd": "x"}, delay=3_600_000), request_local({"cmd": "x"}, delay=1)
    assert later["status"] == soon["status"] == "delayed"
    assert to_api(later)["delay"] == 3_600_000
    assert bus.queued == []
    assert eventually(lambda: release_delayed(database, bus)) == 1
    assert bus.queued == [str(soon["_id"])]
    assert executions.status(str(soon["_id"])) is Status.REQUESTED
    assert executions.status(str(later["_id"])) is Status.DELAYED
    assert release_delayed(database, bus) == 0


def test_repeating(database: Documents, bus: Bus, request_local: Request) -> None:
    parameters = {"cmd": "echo {{ '{{' }} nope }}", "timeout": 5, "sudo_password": "pw"}
    first = request_local(parameters, context={"trace_context": {"trace_tag": "t"}})
    identity = str(first["_id"])
    again = rerun_execution(database, bus, execution_id=identity, parameters={"timeout": "7"}, user="bob")
    # What the first has rendered is text now, whatever it looks like.
    assert again["parameters"] == {"cmd": "echo {{ nope }}", "timeout": 7, "sudo_password": "pw"}
    assert again["context"] == {
        "re-run": {"ref": identity},
        "trace_context": {"id_": identity},
        "user": "bob",
        "pack": "core",
    }
    assert bus.queued == [identity, str(again["_id"])]


def test_repeating_what_cannot_be(database: Documents, bus: Bus, request_local: Request) -> None:
    identity = str(request_local({"cmd": "x"})["_id"])
    for unknown in ("000000000000000000000000", "zzz"):
        with pytest.raises(NotFound, match=f'Unable to identify resource with id "{unknown}"'):
            rerun_execution(database, bus, execution_id=unknown, parameters={}, user="bob")
    with pytest.raises(ValidationError, match="Only the tasks of an orquesta workflow"):
        rerun_execution(database, bus, execution_id=identity, parameters={}, user="bob", tasks=["t"])
    actions.remove_pack("core")
    with pytest.raises(ValidationError, match=r'Action "core\.local" cannot be found'):
        rerun_execution(database, bus, execution_id=identity, parameters={}, user="bob")


CANCELED_RESULT = {"message": "Action canceled by user.", "user": "bob"}


def test_canceling_before_anybody_runs_it(
    database: Documents, executions: Executions, bus: Bus, request_local: Request
) -> None:
    for delay in (None, 3_600_000):
        identity = str(request_local({"cmd": "x"}, delay=delay)["_id"])
        canceled = cancel_execution(database, bus, execution_id=identity, user="bob")
        shown = to_api(canceled)
        assert shown["status"] == "canceled"
        assert shown["result"] == CANCELED_RESULT
        assert shown["context"]["cancelled_by"] == "bob"
        assert shown["end_timestamp"]
        assert bus.events()[-1] == ("update", "canceled")
        assert executions.claim(identity, "runner", now_us(), {}) is None
        end = MongoOutputLog(database).end(identity)
        assert end is not None
        assert end.status == "canceled"
        # Once more is no error and changes nothing.
        assert cancel_execution(database, bus, execution_id=identity, user="eve") == canceled


def test_canceling_what_runs(database: Documents, executions: Executions, bus: Bus, request_local: Request) -> None:
    identity = str(request_local({"cmd": "x"})["_id"])
    executions.claim(identity, "runner-1", now_us() + 60_000_000, {})
    shown = to_api(cancel_execution(database, bus, execution_id=identity, user="bob"))
    assert shown["status"] == "canceling"
    assert shown["result"] == CANCELED_RESULT
    assert "end_timestamp" not in shown
    assert (CANCEL, "runner-1", {"v": 1, "execution_id": identity}) in bus.told
    assert bus.events()[-1] == ("update", "canceling")
    assert MongoOutputLog(database).end(identity) is None
    with pytest.raises(NotCancelable, match=r"^Action cannot be canceled\. State = canceling\.$"):
        cancel_execution(database, bus, execution_id=identity, user="eve")


def test_canceling_what_has_ended(
    database: Documents, executions: Executions, bus: Bus, request_local: Request
) -> None:
    identity = str(request_local({"cmd": "x"})["_id"])
    executions.claim(identity, "runner-1", now_us(), {})
    executions.change(identity, Status.SUCCEEDED, attempt=1, fields={"result": {"stdout": "x"}})
    with pytest.raises(NotCancelable, match=r"^Action cannot be canceled\. State = succeeded\.$"):
        cancel_execution(database, bus, execution_id=identity, user="bob")
    ended = executions.get(identity)
    assert ended is not None
    assert ended["result"] == {"stdout": "x"}


def test_canceling_what_is_not_there(database: Documents, executions: Executions, bus: Bus) -> None:
    for unknown in ("000000000000000000000000", "zzz"):
        with pytest.raises(NotFound):
            cancel_execution(database, bus, execution_id=unknown, user="bob")


def test_canceling_what_was_given_back_fences_the_lost_attempt(
    database: Documents, executions: Executions, bus: Bus, request_local: Request
) -> None:
    log = MongoOutputLog(database)
    identity = str(request_local({"cmd": "x"})["_id"])
    executions.claim(identity, "lost", now_us(), {})
    log.append([Chunk(identity, Stream.STDOUT, 1, 1, 0, b"line\n", (Run(5, now_us()),), attempt=1)])
    executions.change(identity, Status.REQUESTED, attempt=1)
    assert cancel_execution(database, bus, execution_id=identity, user="bob")["status"] == "canceled"
    end = log.end(identity)
    assert end is not None
    assert end.stdout.lines == 1
    assert end.attempt == 2


def test_a_claim_and_a_cancel_at_once(
    database: Documents, executions: Executions, bus: Bus, request_local: Request
) -> None:
    """Whoever comes first: either nobody runs it and it is canceled, or its runner is told."""
    for _ in range(20):
        identity = str(request_local({"cmd": "x"})["_id"])
        claimed: list[Any] = []
        claimer = threading.Thread(
            target=lambda identity=identity, claimed=claimed: claimed.append(
                executions.claim(identity, "runner-1", now_us() + 60_000_000, {})
            )
        )
        claimer.start()
        status = cancel_execution(database, bus, execution_id=identity, user="bob")["status"]
        claimer.join()
        assert status == ("canceling" if claimed[0] else "canceled")
