"""The platform's events as they happen: which ones, in which order, and how a stream of them ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from st2common.models.statuses import Status
from st2common.transport.topology import ACTIONALIAS, ANNOUNCEMENT
from tests.integration.stream.action import Action, Nobody
from tests.integration.stream.service import StreamProcess, brief, text_of

Accept = Callable[..., Action]
Database_ = Database[dict[str, Any]]

UPDATE = "st2.execution__update"
OUTPUT = "st2.execution.output__create"


def pair(key: str, status: str) -> list[tuple[str, str]]:
    return [(f"liveaction__{key}", status), (f"execution__{key}", status)]


STARTED = [*pair("create", "requested"), *pair("update", "scheduled"), *pair("update", "running")]
PRINTED = [("execution.output__create", "one\n"), ("execution.output__create", "two\n")]
ENDED = pair("update", "succeeded")


def run_through(running: Action) -> None:
    running.run()
    running.print("one\n")
    running.print("two\n")
    running.end()


def ending(running: Action, **more: str) -> dict[str, str]:
    """The query of a client that waits for the end of an execution."""
    return {"end_event": UPDATE, "end_execution_id": running.id, **more}


@pytest.fixture(autouse=True)
def silence(service: StreamProcess) -> Callable[[], None]:
    """Returns when everything that was told before is out: events are handed out in order."""

    def silence() -> None:
        with service.events(events="st2.announcement__silence") as client:
            service.notify(ANNOUNCEMENT, "silence", {"v": 1, "payload": {}})
            client.next()

    silence()
    return silence


class TestWhatIsTold:
    def test_without_saying(self, service: StreamProcess, action: Accept) -> None:
        with service.events() as client:
            assert client.headers["Cache-Control"] == "no-cache"
            assert client.headers["X-Accel-Buffering"] == "no"
            run_through(action())
            assert client.told(8) == [*STARTED, *ENDED]

    @pytest.mark.parametrize("path", ["/v1/stream", "/stream", "/stream/v1/stream", "/v1/stream/"])
    def test_everything_in_order(self, service: StreamProcess, action: Accept, path: str) -> None:
        with service.watch(path, events="*") as client:
            assert client.answer.read(1) == b"\n"
            run_through(action())
            assert client.told(10) == [*STARTED, *PRINTED, *ENDED]

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ("st2.execution__create,st2.execution.output__create", [STARTED[1], *PRINTED]),
            (" st2.execution__create , st2.nothing", [STARTED[1]]),
            ("st2.execution*", [*STARTED[1::2], *PRINTED, ENDED[1]]),
            ("*action__update", [*STARTED[2::2], ENDED[0]]),
        ],
    )
    def test_names_and_patterns(
        self, service: StreamProcess, action: Accept, wanted: str, expected: list[tuple[str, str]]
    ) -> None:
        with service.events(events=wanted) as client:
            run_through(action())
            assert client.told(len(expected)) == expected

    def test_a_repeated_parameter(self, service: StreamProcess, action: Accept) -> None:
        path = "/v1/stream?events=st2.execution__create&events=st2.execution.output__create"
        with service.watch(path) as client:
            assert client.answer.read(1) == b"\n"
            run_through(action())
            assert client.told(2) == PRINTED

    def test_what_the_events_carry(self, service: StreamProcess, action: Accept) -> None:
        with service.events(events="*") as client:
            accepted = action()
            live, execution = client.document(), client.document()
            assert set(live) == {
                "action",
                "action_is_workflow",
                "callback",
                "context",
                "id",
                "parameters",
                "result",
                "runner_info",
                "start_timestamp",
                "status",
            }
            assert (live["id"], live["action"], live["result"]) == (accepted.liveaction_id, "core.local", "{}")
            assert execution["id"] == accepted.id
            assert execution["web_url"] == f"https://localhost/#/history/{accepted.id}/general"
            run_through(accepted)
            client.told(4)
            event = client.next()
            # No cursor: there is no history to go back to. No status: that is how clients know an execution.
            assert (event.id, set(json.loads(event.data)) - {"seq"}) == (
                "",
                {"action_ref", "data", "execution_id", "id", "output_type", "runner_ref", "timestamp"},
            )
            client.told(1)
            assert json.loads(client.document()["result"]) == {"return_code": 0}

    def test_announcements_and_aliases(self, service: StreamProcess) -> None:
        alias = {"id": "1", "name": "zz", "pack": "bench"}
        with service.events(events="*") as everything, service.events() as default:
            service.notify(ANNOUNCEMENT, "general", {"v": 1, "payload": {"message": {"x": 1}}, "trace_context": None})
            service.notify(ACTIONALIAS, "create", {"v": 1, "alias": alias})
            service.notify(ANNOUNCEMENT, "chat.ops", {"v": 1, "payload": {"last": True}})
            first = everything.next()
            assert first.name == "st2.announcement__general"
            assert json.loads(first.data) == {"payload": {"message": {"x": 1}}, "trace_context": None}
            second = everything.next()
            assert (second.name, json.loads(second.data)) == ("st2.actionalias__create", alias)
            assert [default.next().name for _ in range(2)] == [
                "st2.announcement__general",
                "st2.announcement__chat.ops",
            ]

    def test_silence(self, service: StreamProcess) -> None:
        with service.events(execution_ids="0" * 24) as client:
            assert client.answer.read(2) == b"\n\n"


class TestFilters:
    def test_actions(self, service: StreamProcess, action: Accept) -> None:
        with service.events(events="*", action_refs="core.local, core.remote") as client:
            run_through(action(ref="core.other"))
            service.notify(ANNOUNCEMENT, "general", {"v": 1, "payload": {}})
            service.notify(ACTIONALIAS, "create", {"v": 1, "alias": {"id": "1"}})
            run_through(action())
            assert client.told(10) == [*STARTED, *PRINTED, *ENDED]

    def test_executions(self, service: StreamProcess, action: Accept, silence: Callable[[], None]) -> None:
        one, other = action(), action()
        silence()
        with service.events(events="*", execution_ids=one.id) as client:
            child = action(parent=one.id)
            run_through(child)
            run_through(other)
            service.notify(ANNOUNCEMENT, "general", {"v": 1, "payload": {}})
            run_through(one)
            # What is told of live actions has another id.
            assert client.told(5) == [*STARTED[3::2], *PRINTED, ENDED[1]]


class TestOutput:
    def test_of_an_execution_that_runs_already(self, service: StreamProcess, action: Accept) -> None:
        running = action().run()
        running.print("before\n")
        with service.events(**ending(running, events=f"{UPDATE},{OUTPUT}")) as client:
            running.print("after\n")
            running.end()
            assert client.rest() == [("execution.output__create", "after\n"), ENDED[1]]

    def test_of_children(self, service: StreamProcess, action: Accept) -> None:
        parent = action().run()
        old = action(parent=parent.id).run()
        with service.events(**ending(parent, events=OUTPUT)) as client:
            old.print("old\n")
            assert client.told(1) == [("execution.output__create", "old\n")]
            grandchild = action(parent=old.id).run()
            grandchild.print("grandchild\n")
            assert client.told(1) == [("execution.output__create", "grandchild\n")]
            stranger = action().run()
            stranger.print("stranger\n")
            parent.print("parent\n")
            parent.end()
            assert client.rest() == [("execution.output__create", "parent\n")]

    def test_the_end_waits_for_it(
        self, service: StreamProcess, stream_database: Database_, silence: Callable[[], None]
    ) -> None:
        """The bells of the output are lost: it comes later than the events."""
        running = Action(stream_database, service, bell=Nobody())
        silence()
        with service.events(**ending(running, events="*")) as client:
            run_through(running)
            assert client.rest() == [*STARTED[2:], *PRINTED, ENDED[0], ENDED[1]]

    def test_much_of_it_for_a_slow_client(self, service: StreamProcess, stream_database: Database_) -> None:
        """That an execution has ended is seen in the database while its output is still on its way."""
        running = Action(stream_database, service).run()
        text = "x" * 79 + "\n"
        with (
            service.events(**ending(running, events=f"{UPDATE},{OUTPUT}")) as client,
            service.events(execution_ids="0" * 24) as clock,
        ):
            for _ in range(8):
                running.print(text * 13_000)
            running.end(told=False)
            # Two seconds in which the client does not read.
            assert clock.answer.read(2) == b"\n\n"
            told = client.rest()
            assert text_of(told) == text * 13_000 * 8
            assert told[-1] == ENDED[1]


class TestTheEnd:
    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ({"events": UPDATE}, [*STARTED[3::2], ENDED[1]]),
            # Also where the event itself is not wanted.
            ({"events": "st2.liveaction__update"}, [*STARTED[2::2], ENDED[0]]),
            ({"events": UPDATE, "action_refs": "core.remote"}, []),
            ({"events": UPDATE, "execution_ids": "0" * 24}, []),
        ],
    )
    def test_of_the_execution(
        self, service: StreamProcess, action: Accept, wanted: dict[str, str], expected: list[tuple[str, str]]
    ) -> None:
        accepted = action()
        with service.events(**ending(accepted, **wanted)) as client:
            run_through(action(ref="core.other") if wanted.get("events") is None else accepted)
            assert client.rest() == expected

    def test_of_another_execution(self, service: StreamProcess, action: Accept) -> None:
        accepted, other = action(), action()
        with service.events(**ending(accepted, events=UPDATE)) as client:
            run_through(other)
            accepted.set_status(Status.CANCELED)
            assert client.rest() == [*STARTED[3::2], ENDED[1], ("execution__update", "canceled")]

    def test_of_a_live_action(self, service: StreamProcess, action: Accept, silence: Callable[[], None]) -> None:
        accepted = action()
        silence()
        wanted = {"end_event": "st2.liveaction__update", "end_execution_id": accepted.liveaction_id, "events": "*"}
        with service.events(**wanted) as client:
            run_through(accepted)
            assert client.rest() == [*STARTED[2:], *PRINTED, ENDED[0]]
        with service.events(**wanted) as client:
            assert client.rest() == [ENDED[0]]

    @pytest.mark.parametrize("wanted", [{"events": UPDATE}, {}, {"events": "*"}])
    def test_just_before_the_connection(
        self, service: StreamProcess, action: Accept, silence: Callable[[], None], wanted: dict[str, str]
    ) -> None:
        ended = action()
        run_through(ended)
        silence()
        with service.events(**ending(ended, **wanted)) as client:
            event = client.next()
            assert brief(event) == ENDED[1]
            assert json.loads(event.data)["id"] == ended.id
            assert client.rest() == []

    def test_just_before_the_connection_and_not_wanted(self, service: StreamProcess, action: Accept) -> None:
        ended = action()
        run_through(ended)
        with service.events(**ending(ended, events=OUTPUT)) as client:
            assert client.rest() == []

    def test_whose_event_is_lost(self, service: StreamProcess, action: Accept) -> None:
        running = action().run()
        with service.events(**ending(running, events=f"{UPDATE},{OUTPUT}")) as client:
            running.print("one\n")
            running.end(told=False)
            assert client.rest() == [PRINTED[0], ENDED[1]]

    def test_that_is_told_twice(self, service: StreamProcess, action: Accept) -> None:
        running = action()
        with service.events(**ending(running, events=UPDATE)) as client:
            run_through(running)
            running.tell()
            assert client.rest() == [*STARTED[3::2], ENDED[1]]

    def test_that_never_comes(self, service: StreamProcess) -> None:
        query = {"end_event": UPDATE, "end_execution_id": "nonsense"}
        with service.events(**query) as client:
            assert client.answer.read(2) == b"\n\n"


def test_a_list_that_is_too_long(service: StreamProcess) -> None:
    with service.get("/v1/stream", events=",".join(f"event{number}" for number in range(101))) as answer:
        assert answer.status == 400
        assert "events" in json.load(answer)["faultstring"]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/stream/v1"])
def test_paths_that_are_not_there(service: StreamProcess, path: str) -> None:
    with service.get(path) as answer:
        assert answer.status == 404
        assert json.load(answer) == {"faultstring": "The resource could not be found."}
