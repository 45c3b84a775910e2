"""The output of one execution: what was printed, what is printed, and the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from st2common.models.statuses import Status
from st2common.output.chunk import Stream
from tests.integration.stream.action import Action, Nobody
from tests.integration.stream.service import StreamProcess, text_of

Accept = Callable[..., Action]

CREATE, END, EOF = "execution.output__create", "execution.output__end", ("EOF", "''")


def test_history_then_live_then_the_end(service: StreamProcess, action: Accept) -> None:
    running = action().run()
    running.print("one\n")
    running.print("oops\n", stream=Stream.STDERR)
    with service.output(running.id) as watcher:
        assert watcher.headers["Cache-Control"] == "no-cache"
        assert watcher.headers["X-Accel-Buffering"] == "no"
        assert watcher.headers["X-St2-Execution-Id"] == running.id
        assert "X-St2-Stream-Output" not in watcher.headers
        first = watcher.next()
        assert (first.name, first.id) == ("st2.execution.output__create", "1")
        document = json.loads(first.data)
        assert document.pop("timestamp").endswith("Z")
        assert document == {
            "id": f"{running.id}:1",
            "execution_id": running.id,
            "action_ref": "core.local",
            "runner_ref": "local-shell-cmd",
            "output_type": "stdout",
            "data": "one\n",
            "seq": 1,
        }
        assert watcher.document()["output_type"] == "stderr"
        for number in range(3):
            running.print(f"line {number}\n")
            assert watcher.told(1) == [(CREATE, f"line {number}\n")]
        running.end()
        end = watcher.document()
        assert (end["status"], end["exit_code"]) == ("succeeded", 0)
        assert end["stdout"] == {"bytes": 25, "lines": 4, "chunks": 4}
        assert end["stderr"] == {"bytes": 5, "lines": 1, "chunks": 1}
        assert watcher.rest() == [EOF]


def test_an_execution_that_has_ended(service: StreamProcess, action: Accept) -> None:
    ended = action().run()
    for number in range(100):
        ended.print(f"{number}\n")
    ended.end()
    with service.output(ended.id) as watcher:
        told = watcher.rest()
    assert text_of(told) == "".join(f"{number}\n" for number in range(100))
    assert told[100:] == [(END, "succeeded"), EOF]


@pytest.mark.parametrize("path", ["/v1/executions/last", "/stream/v1/executions/last", "/executions/last"])
def test_the_last_execution(service: StreamProcess, action: Accept, path: str) -> None:
    latest = action().run()
    latest.print("latest\n")
    latest.end()
    with service.watch(f"{path}/output/") as watcher:
        assert watcher.rest() == [(CREATE, "latest\n"), (END, "succeeded"), EOF]


@pytest.mark.parametrize(
    ("wanted", "expected"), [("stdout", "out\n"), ("stderr", "error\n"), ("all", "out\nerror\n"), ("output", "")]
)
def test_one_stream_of_history_and_live(service: StreamProcess, action: Accept, wanted: str, expected: str) -> None:
    running = action().run()
    running.print("out\n")
    running.print("error\n", stream=Stream.STDERR)
    with service.output(running.id, output_type=wanted) as watcher:
        running.print("out\n")
        running.print("error\n", stream=Stream.STDERR)
        running.end()
        assert text_of(watcher.rest()) == expected * 2


def test_without_following(service: StreamProcess, action: Accept) -> None:
    running = action().run()
    with service.output(running.id, follow="false") as watcher:
        assert watcher.rest() == [EOF]
    running.print("one\n")
    with service.output(running.id, follow="no") as watcher:
        assert watcher.rest() == [(CREATE, "one\n"), EOF]
    running.end()
    with service.output(running.id, follow="0") as watcher:
        assert watcher.rest() == [(CREATE, "one\n"), (END, "succeeded"), EOF]


def test_behind_a_number(service: StreamProcess, action: Accept) -> None:
    ended = action().run()
    for text in ("one\n", "two\n", "three\n"):
        ended.print(text)
    ended.end()
    for seq, expected in (("", "one\ntwo\nthree\n"), ("0", "one\ntwo\nthree\n"), ("2", "three\n"), ("3", "")):
        with service.output(ended.id, since_seq=seq) as watcher:
            assert text_of(watcher.rest()) == expected
    with service.output(ended.id, since_seq="1", cursor="2") as watcher:
        assert text_of(watcher.rest()) == "three\n"


@pytest.mark.parametrize(
    "cursor", ["x", "-1", "1.", ".1", "0.5", "1.2.3", "1.x", "1 1", "1e3", "\N{ARABIC-INDIC DIGIT THREE}", "9" * 19]
)
def test_a_cursor_that_is_none(service: StreamProcess, action: Accept, cursor: str) -> None:
    with service.get(f"/v1/executions/{action().id}/output", cursor) as answer:
        assert answer.status == 400
        assert "Last-Event-ID" in json.load(answer)["faultstring"]


@pytest.mark.parametrize(
    ("name", "value"), [("since_seq", "-1"), ("since_seq", "x"), ("since_seq", "9" * 19), ("follow", "perhaps")]
)
def test_bad_parameters(service: StreamProcess, action: Accept, name: str, value: str) -> None:
    with service.get(f"/v1/executions/{action().id}/output", **{name: value}) as answer:
        assert answer.status == 400
        assert name in json.load(answer)["faultstring"]


@pytest.mark.parametrize("execution_id", ["0" * 24, "nonsense"])
def test_an_execution_that_is_not_there(service: StreamProcess, execution_id: str) -> None:
    with service.get(f"/v1/executions/{execution_id}/output") as answer:
        assert answer.status == 404
        assert json.load(answer) == {"faultstring": f'Unable to identify resource with id "{execution_id}".'}


def test_a_silent_stream_says_that_it_lives(service: StreamProcess, action: Accept) -> None:
    running = action().run()
    running.print("one\n")
    with service.output(running.id, output_type="stderr") as watcher:
        comment = b": keep-alive\n\n"
        assert watcher.answer.read(2 * len(comment)) == 2 * comment
        running.end()
        assert [name for name, _ in watcher.rest()] == [END, "EOF"]


def test_a_stream_whose_output_is_not_wanted_says_that_it_lives(service: StreamProcess, action: Accept) -> None:
    running = action().run()
    heard = threading.Event()

    def print_on() -> None:
        while not heard.wait(0.01):
            running.print("something\n")

    printing = threading.Thread(target=print_on)
    with service.output(running.id, output_type="stderr") as watcher:
        printing.start()
        comment = b": keep-alive\n\n"
        try:
            assert watcher.answer.read(len(comment)) == comment
        finally:
            heard.set()
            printing.join()


def test_an_execution_that_never_ran(service: StreamProcess, action: Accept) -> None:
    canceled = action()
    with service.output(canceled.id) as watcher:
        canceled.set_status(Status.CANCELED)
        assert watcher.rest() == [(END, "canceled"), EOF]
    with service.output(canceled.id, cursor="17") as watcher:
        assert watcher.rest() == [(END, "canceled"), EOF]


def test_streaming_that_is_off(service: StreamProcess, action: Accept) -> None:
    running = action().run(stream_output=False)
    with service.output(running.id) as watcher:
        assert watcher.headers["X-St2-Stream-Output"] == "off"
        running.print("all at once\n")
        running.end()
        assert text_of(watcher.rest()) == "all at once\n"


def test_bells_that_are_lost(service: StreamProcess, stream_database: Database[dict[str, Any]]) -> None:
    running = Action(stream_database, Nobody()).run()
    with service.output(running.id) as watcher:
        running.print("one\n")
        assert watcher.told(1) == [(CREATE, "one\n")]
        running.end()
        assert watcher.rest() == [(END, "succeeded"), EOF]


def test_a_cursor_beyond_the_log_misleads_nobody(service: StreamProcess, action: Accept) -> None:
    running = action().run()
    running.print("one\n")
    with service.output(running.id, cursor="1000") as ahead, service.output(running.id) as watcher:
        assert watcher.told(1) == [(CREATE, "one\n")]
        running.print("two\n")
        assert watcher.told(1) == [(CREATE, "two\n")]
        running.end()
        assert watcher.rest() == [(END, "succeeded"), EOF]
        assert ahead.rest() == [(END, "succeeded"), EOF]


def test_bytes_that_are_no_text(service: StreamProcess, action: Accept) -> None:
    running = action().run()
    running.print(b"\xff\x00\n")
    running.end()
    with service.output(running.id) as watcher:
        document = watcher.document()
        assert document["data"] == "\N{REPLACEMENT CHARACTER}\0\n"
        assert document["data_base64"] == "/wAK"
