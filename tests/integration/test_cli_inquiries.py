"""``st2 inquiry`` against a scripted API, and its questions on a real terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from st2cli.shell import main
from tests.integration.scripted_platform import EXECUTION_ID, Answer, Request, ScriptedPlatform

Captured = pytest.CaptureFixture[str]

ASKED = {
    "id": EXECUTION_ID,
    "route": "door",
    "ttl": 5,
    "users": ["ann"],
    "roles": [],
    "schema": {
        "type": "object",
        "properties": {
            "go": {"type": "boolean", "description": "Go on?", "required": True},
            "where": {"type": "string", "enum": ["left", "right"]},
            "word": {"type": "string", "secret": True, "required": True},
            "often": {"type": "integer", "default": 3, "required": True},
            "note": {"type": "string"},
        },
    },
}
_ONE = f"/inquiries/{EXECUTION_ID}"


def _accept(request: Request) -> Answer:
    return 200, request.body


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    with ScriptedPlatform().serving() as scripted:
        scripted.answers = {
            ("GET", "/inquiries"): [(200, [ASKED, {**ASKED, "id": "0" * 24}])],
            ("GET", _ONE): [(200, ASKED)],
            ("PUT", _ONE): _accept,
        }
        monkeypatch.setenv("ST2_API_URL", scripted.url)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield scripted


def test_list_and_get(platform: ScriptedPlatform, capsys: Captured) -> None:
    assert main(["inquiry", "list", "-n", "5"]) == 0
    assert platform.requests[0].query == {"limit": "5"}
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown if EXECUTION_ID in line or "0" * 24 in line] == ["0" * 24, EXECUTION_ID]
    assert main(["inquiry", "get", EXECUTION_ID, "-j"]) == 0
    assert json.loads(capsys.readouterr().out) == ASKED
    assert main(["inquiry", "get", "1" * 24]) == 1
    assert "is not found" in capsys.readouterr().err


def test_a_given_response(platform: ScriptedPlatform, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["inquiry", "respond", EXECUTION_ID, "-r", '{"go": true}']) == 0
    assert capsys.readouterr().out == f"Response accepted for inquiry {EXECUTION_ID}.\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"go": false}'))
    assert main(["inquiry", "respond", EXECUTION_ID, "-r", "-"]) == 0
    bodies = [request.body for request in platform.asked("PUT", _ONE)]
    assert bodies == [{"id": EXECUTION_ID, "response": {"go": go}} for go in (True, False)]
    for wrong in ("{", "[]"):
        assert main(["inquiry", "respond", EXECUTION_ID, "-r", wrong]) == 2
    assert main(["inquiry", "respond", EXECUTION_ID]) == 2
    assert "no terminal" in capsys.readouterr().err


def test_questions_on_a_terminal(platform: ScriptedPlatform) -> None:
    """One for each property, again for what cannot be taken; a secret is not echoed."""
    ours, theirs = pty.openpty()
    command = [Path(sys.executable).with_name("st2"), "inquiry", "respond", EXECUTION_ID]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        shown = b""
        for question, answer in (
            (b"go: Go on? (boolean): ", b"maybe\n"),
            (b"go: Go on? (boolean): ", b"yes\n"),
            (b"where (left/right, may be left empty): ", b"up\n"),
            (b"where (left/right, may be left empty): ", b"left\n"),
            (b"word (string): ", b"sesame\n"),
            (b"often (integer, default: 3): ", b"\n"),
            (b"note (string, may be left empty): ", b"\n"),
        ):
            heard = b""
            while not heard.endswith(question):
                heard += os.read(ours, 1024)
            shown += heard
            os.write(ours, answer)
        assert process.wait(30) == 0
    os.close(ours)
    expected = {"go": True, "where": "left", "word": "sesame", "often": 3}
    assert platform.asked("PUT", _ONE)[0].body["response"] == expected
    assert b"sesame" not in shown
