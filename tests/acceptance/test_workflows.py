"""A workflow on a platform that dies in the middle of it, and whoever watches it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform
from tests.conditions import eventually
from tests.flows import NOTES, write_pack

_STAMP = re.compile(r"^\[[^]]*\]")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("workflows") / "var", ["standalone"])
    write_pack(platform.var / "packs")
    with platform.running():
        yield platform


def seen(text: str) -> list[str]:
    """What a tail has printed, without times and ids."""
    lines = [re.sub(r"execution [0-9a-f]{24}", "execution ID", _STAMP.sub("", line)) for line in text.splitlines()]
    return [line for line in lines if line.startswith("[")]


def test_a_killed_platform_loses_and_repeats_no_step(platform: Platform, tmp_path: Path) -> None:
    notes, gate = tmp_path / "notes", tmp_path / "gate"
    started = platform.st2("run", "-a", "flows.outer", f"notes={notes}", f"gate={gate}", "-j")
    execution_id = json.loads(started.stdout)["id"]
    with platform.st2_in_background("execution", "tail", execution_id) as tail:
        assert tail.stdout is not None
        head = ""
        while "inside" not in head:
            head += tail.stdout.readline()
        process = platform.process("st2standalone")
        process.send(signal.SIGKILL)
        assert process.wait(10)
        platform.start()
        gate.touch()
        rest, _ = tail.communicate(timeout=90)
    assert tail.returncode == 0, head + rest
    assert sorted(notes.read_text().splitlines()) == NOTES
    lines = seen(head + rest)
    assert lines[:7] == [
        "[before] Has started: core.local, execution ID",
        "[before][stdout] one",
        "[before] Has ended (status=succeeded, exit code 0)",
        "[inner] Has started: flows.inner, execution ID",
        "[inner/wait] Has started: core.local, execution ID",
        "[inner/wait][stdout] inside",
        "[inner/wait][stdout] out",
    ]
    for line in (
        "[inner/nothing] Has ended (status=succeeded)",
        "[after[0]][stdout] last 1",
        "[after[1]][stdout] last 2",
    ):
        assert lines.count(line) == 1
    eventually(lambda: "succeeded" in platform.st2("execution", "get", execution_id).stdout)
    again = platform.st2("execution", "tail", "last")
    assert sorted(seen(again.stdout)) == sorted(lines)


def test_what_has_ended_is_shown_step_by_step(platform: Platform) -> None:
    assert platform.st2("run", "flows.failing").returncode == 1
    tail = platform.st2("execution", "tail", "last")
    assert tail.returncode == 1
    assert seen(tail.stdout) == [
        "[good] Has started: core.local, execution ID",
        "[good][stdout] fine",
        "[good] Has ended (status=succeeded, exit code 0)",
        "[bad] Has started: core.local, execution ID",
        "[bad][stdout] bad",
        "[bad] Has ended (status=failed, exit code 3)",
    ]
    raw = platform.st2("execution", "tail", "last", "--raw")
    assert raw.stdout == "fine\nbad\n"
    steps = [json.loads(line) for line in platform.st2("execution", "tail", "last", "-j").stdout.splitlines()]
    assert [(step.get("path"), step.get("event"), step.get("line")) for step in steps[:3]] == [
        ("good", "started", None),
        ("good", None, "fine"),
        ("good", "ended", None),
    ]
