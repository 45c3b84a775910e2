"""``st2 execution tail`` against a server that breaks connections."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from st2cli.client import Client
from st2cli.errors import ApiError, Unreachable
from st2cli.settings import Settings
from st2cli.shell import main
from st2cli.tail import Request, Tail
from st2cli.views import LineView, RawView
from tests.conditions import eventually
from tests.integration.scripted_platform import EXECUTION_ID, ScriptedPlatform, end_events, execution, output_event

_STREAM = f"/executions/{EXECUTION_ID}/output"
_EVENTS = [
    b": keep-alive\n\n",
    output_event("1.1", "one\n"),
    output_event("1", "two\nthree\npart"),
    output_event("2", "oops ü\n", "stderr"),
    output_event("3", b"ial\n\xff\n"),
    *end_events("4"),
]
_LINES = """\
[2026-11-22T13:46:19.000011Z][stdout] one
[2026-11-22T13:46:19.000010Z][stdout] two
[2026-11-22T13:46:19.000010Z][stdout] three
[2026-11-22T13:46:19.000020Z][stderr] oops ü
[2026-11-22T13:46:19.000010Z][stdout] partial
[2026-11-22T13:46:19.000030Z][stdout] \ufffd
Execution 6b02f22bd23843de9f9e3c84 has completed (status=succeeded).
"""
_BYTES = "one\ntwo\nthree\npartoops ü\nial\n".encode() + b"\xff\n"


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    with ScriptedPlatform(streams={_STREAM: list(_EVENTS)}).serving() as scripted:
        scripted.may_end.set()
        for name in ("ST2_API_URL", "ST2_STREAM_URL"):
            monkeypatch.setenv(name, scripted.url)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield scripted


def tail_of(platform: ScriptedPlatform, view: LineView | RawView, notes: list[str], silence: float = 10) -> Tail:
    client = Client(Settings(platform.url, platform.url, platform.url))
    return Tail(client, Request(EXECUTION_ID), view, notes.append, silence=silence, sleep=lambda _: None)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_connection_broken_at_any_byte_changes_nothing(platform: ScriptedPlatform, chunked: bool) -> None:
    platform.chunked = chunked
    total = sum(len(event) + (len(b"%x\r\n\r\n" % len(event)) if chunked else 0) for event in _EVENTS)
    for position in range(total):
        platform.breaks = [position, None]
        sink, notes = io.StringIO(), list[str]()
        view = LineView(sink)
        ending = tail_of(platform, view, notes).run()
        assert ending is not None
        view.end(ending)
        assert sink.getvalue() == _LINES, position


def test_a_connection_that_breaks_again_and_again_changes_nothing(platform: ScriptedPlatform) -> None:
    platform.breaks = [500, 0, 400, 3, 30, 0, 600]
    sink, notes = io.BytesIO(), list[str]()
    assert tail_of(platform, RawView(sink), notes).run()
    assert sink.getvalue() == _BYTES
    assert platform.breaks == []
    assert notes[0].startswith("The output stream broke (closed by the server); resuming")
    assert notes.count("Resumed.") == len([note for note in notes if "broke" in note])


def test_a_silent_connection_is_given_up(platform: ScriptedPlatform) -> None:
    platform.may_end.clear()

    def release(note: str) -> None:
        notes.append(note)
        platform.may_end.set()

    notes: list[str] = []
    client = Client(Settings(platform.url, platform.url, platform.url))
    sink = io.BytesIO()
    # Without the end record the end is not known: the last event alone is waited for again.
    platform.streams[_STREAM] = [*_EVENTS[:-2], b": never\n\n", *_EVENTS[-2:-1]]
    assert Tail(client, Request(EXECUTION_ID), RawView(sink), release, silence=0.3, sleep=lambda _: None).run()
    assert notes[0].startswith("The output stream broke (no sign of life)")
    assert sink.getvalue() == _BYTES


def test_a_stream_service_that_is_away_for_a_while_is_waited_for(platform: ScriptedPlatform) -> None:
    class Restarting(Client):
        refused = 0

        def open_stream(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            if platform.breaks == [] and self.refused < 5:
                self.refused += 1
                raise Unreachable("refused") if self.refused % 2 else ApiError(503, "away", "", "")
            return super().open_stream(*args, **kwargs)  # type: ignore[arg-type]

    platform.breaks = [700]
    sink, notes = io.BytesIO(), list[str]()
    client = Restarting(Settings(platform.url, platform.url, platform.url))
    assert Tail(client, Request(EXECUTION_ID), RawView(sink), notes.append, sleep=lambda _: None).run()
    assert sink.getvalue() == _BYTES
    assert client.refused == 5
    assert len(notes) == 2


def test_an_execution_that_is_gone_meanwhile_ends_the_tail(platform: ScriptedPlatform) -> None:
    platform.breaks = [700]
    notes: list[str] = []

    def forget(note: str) -> None:
        platform.streams.clear()

    client = Client(Settings(platform.url, platform.url, platform.url))
    with pytest.raises(ApiError, match="404"):
        Tail(client, Request(EXECUTION_ID), RawView(io.BytesIO()), forget, sleep=lambda _: None).run()
    assert notes == []


def test_the_command_prints_lines_and_the_end(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["execution", "tail", EXECUTION_ID]) == 0
    assert capsys.readouterr().out == _LINES


def test_last_is_looked_up_once(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.answers["GET", "/executions/"] = [(200, [execution("running")])]
    platform.breaks = [600]
    assert main(["execution", "tail"]) == 0
    assert capsys.readouterr().out == _LINES
    assert [request.query["limit"] for request in platform.asked("GET", "/executions/")] == ["1"]


def test_nothing_was_run_yet(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.answers["GET", "/executions/"] = [(200, [])]
    assert main(["execution", "tail", "last"]) == 1
    assert "Nothing has been run yet" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["failed", "timeout", "canceled", "abandoned"])
def test_only_success_is_success(platform: ScriptedPlatform, status: str, capsys: pytest.CaptureFixture[str]) -> None:
    platform.streams[_STREAM] = end_events("1", status)
    assert main(["execution", "tail", EXECUTION_ID]) == 1
    assert capsys.readouterr().out == f"Execution {EXECUTION_ID} has completed (status={status}).\n"


def test_raw_is_the_bytes_and_nothing_else(
    platform: ScriptedPlatform, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["execution", "tail", EXECUTION_ID, "--raw"]) == 0
    captured = capsysbinary.readouterr()
    assert captured.out == _BYTES
    assert b"has completed (status=succeeded)" in captured.err


def test_json_is_one_object_a_line(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["execution", "tail", EXECUTION_ID, "-j"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["line"] for record in records[:-1]] == ["one", "two", "three", "oops ü", "partial", "\ufffd"]
    assert records[-1]["status"] == "succeeded"
    assert records[-1]["exit_code"] == 0


def test_grep_shows_matching_lines_only(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["execution", "tail", EXECUTION_ID, "--grep", "^(t|p)"]) == 0
    lines = capsys.readouterr().out.splitlines()[:-1]
    assert [line.rpartition("] ")[2] for line in lines] == ["two", "three", "partial"]


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ([], {}),
        (["--stdout"], {"output_type": "stdout"}),
        (["--stderr"], {"output_type": "stderr"}),
        (["--type", "stderr", "--include-metadata"], {"output_type": "stderr"}),
        (["--type", "all"], {}),
        (["--no-follow"], {"follow": "false"}),
    ],
)
def test_options_reach_the_stream_service(
    platform: ScriptedPlatform, options: list[str], query: dict[str, str]
) -> None:
    assert main(["execution", "tail", EXECUTION_ID, *options]) == 0
    assert platform.asked("GET", _STREAM)[0].query == {**query, "tree": "true"}


def test_since_a_position_only_the_rest_is_shown(
    platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["execution", "tail", EXECUTION_ID, "--since-seq", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("[stderr] oops ü")


def test_no_follow_of_something_that_runs_says_so(
    platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.streams[_STREAM] = [*_EVENTS[:4], _EVENTS[-1]]
    platform.answers["GET", f"/executions/{EXECUTION_ID}"] = [(200, execution("running"))]
    assert main(["execution", "tail", EXECUTION_ID, "--no-follow"]) == 1
    captured = capsys.readouterr()
    assert captured.out.endswith("[stderr] oops ü\n[2026-11-22T13:46:19.000010Z][stdout] part\n")
    assert captured.err == f"Execution {EXECUTION_ID} has not ended (status=running).\n"


def test_a_stream_without_an_end_record_leaves_the_status_to_the_api(
    platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.streams[_STREAM] = [_EVENTS[-1]]
    answers = [(200, execution(status)) for status in ("running", "canceling", "canceled")]
    platform.answers["GET", f"/executions/{EXECUTION_ID}"] = answers
    assert main(["execution", "tail", EXECUTION_ID]) == 1
    assert capsys.readouterr().out == f"Execution {EXECUTION_ID} has completed (status=canceled).\n"


def test_streaming_that_is_off_is_said_once(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.stream_headers["X-St2-Stream-Output"] = "off"
    platform.breaks = [600]
    assert main(["execution", "tail", EXECUTION_ID]) == 0
    assert capsys.readouterr().err.count("Streaming is off for this execution") == 1


def test_bytes_that_were_not_stored_are_said(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.streams[_STREAM] = end_events("1", truncated_bytes=17)
    assert main(["execution", "tail", EXECUTION_ID]) == 0
    assert "17 bytes of output were not stored" in capsys.readouterr().err


def test_an_unknown_execution(platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["execution", "tail", "zzz"]) == 1
    assert capsys.readouterr().err == 'ERROR: Execution "zzz" is not found.\n'


@pytest.mark.parametrize(
    "options", [["--raw", "-j"], ["--raw", "--grep", "x"], ["-y"], ["--grep", "("], ["--since-seq", "x"]]
)
def test_what_does_not_go_together_is_a_usage_error(
    platform: ScriptedPlatform, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):  # argparse leaves by itself; our own refusals are returned
        sys.exit(main(["execution", "tail", EXECUTION_ID, *options]))
    assert capsys.readouterr().err
    assert platform.requests == []


def test_an_answer_that_is_no_output_is_an_error(
    platform: ScriptedPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.streams[_STREAM] = [b"id: 1\nevent: st2.execution.output__create\ndata: {}\n\n"]
    assert main(["execution", "tail", EXECUTION_ID]) == 1
    assert "cannot be read" in capsys.readouterr().err


def _start(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-c", "import sys; from st2cli.shell import main; sys.exit(main())"]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
    return subprocess.Popen([*program, *arguments], stdout=stdout, stderr=subprocess.PIPE, env=environ)


def test_a_person_who_stops_watching_is_told_how_to_go_on(platform: ScriptedPlatform) -> None:
    platform.may_end.clear()
    platform.streams[_STREAM] = [*_EVENTS[:-2], _EVENTS[-1]]
    with _start("execution", "tail", EXECUTION_ID) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        seen = [tail.stdout.readline() for _ in range(6)]
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) == 130
        assert seen[-1].decode().endswith("\ufffd\n")
        assert f"st2 execution tail {EXECUTION_ID} --since-seq 3\n" in tail.stderr.read().decode()


def test_a_reader_that_goes_away_is_no_error(platform: ScriptedPlatform) -> None:
    platform.may_end.clear()
    with _start("execution", "tail", EXECUTION_ID) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        tail.stdout.readline()
        tail.stdout.close()
        platform.may_end.set()
        assert tail.wait(10) == 141
        assert tail.stderr.read() == b""


def test_a_terminal_shows_a_prompt_before_its_line_ends(platform: ScriptedPlatform) -> None:
    platform.may_end.clear()
    platform.streams[_STREAM] = [output_event("1", "name? "), b": waits\n\n"]
    ours, theirs = pty.openpty()
    with _start("execution", "tail", EXECUTION_ID, stdout=theirs) as tail, os.fdopen(ours, "rb", buffering=0) as screen:
        os.close(theirs)
        shown = bytearray()
        os.set_blocking(ours, False)
        eventually(lambda: shown.extend(screen.read(4096) or b"") or shown.endswith(b"[stdout] name? "))
        platform.streams[_STREAM] = [output_event("1", "name? "), output_event("2", "ada\n"), *end_events("3")]
        platform.may_end.set()

        def complete() -> bool:
            with suppress(OSError):  # Linux says EIO when the other side of a pty is closed
                shown.extend(screen.read(4096) or b"")
            return tail.poll() is not None and b"has completed" in shown

        eventually(complete)
        assert tail.stderr is not None
        tail.stderr.read()
    assert re.search(rb"\r\x1b\[K\[[^]]*\]\[stdout\] name\? ada\r\n", shown)
