"""The status table says what the status files of living processes say."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from st2common.service import StatusFile
from st2ctl import heartbeats
from st2ctl.heartbeats import Heartbeat
from st2ctl.processes import Process


def write(state_path: Path, name: str, **facts: Any) -> Path:
    path = state_path / "services" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    defaults = {"name": name, "pid": os.getpid(), "started_at": time.time(), "listen": None, "ready": True}
    path.write_text(json.dumps({**defaults, "health": None, **facts}))
    return path


def beat(name: str, seconds: float = 0, listen: str | None = None, problem: str | None = None) -> Heartbeat:
    return Heartbeat(name, Process(17, 1), time.time() - seconds, listen, ready=True, problem=problem, age=0)


def test_the_files_that_services_write_are_understood(tmp_path: Path) -> None:
    StatusFile(tmp_path, "st2api", "127.0.0.1:9101").write(ready=True, health=None)
    [seen] = heartbeats.read_all(tmp_path)
    assert seen.well
    assert seen.process.pid == os.getpid()
    assert seen.listen == "127.0.0.1:9101"


def test_a_line_for_each_process_and_each_absent_component() -> None:
    beats = [beat("st2api", 125, listen="127.0.0.1:9101"), beat("st2stream", problem="no connection to the broker")]
    assert heartbeats.table(beats, ["st2actionrunner", "st2api", "st2stream"]) == [
        "##### st2 components status #####",
        "st2actionrunner is not running.",
        "st2api PID: 17     up 2m 5s     healthy  127.0.0.1:9101",
        "st2stream PID: 17  up 0s        no connection to the broker",
    ]


@pytest.mark.parametrize(
    ("facts", "condition"),
    [
        ({}, "healthy"),
        ({"ready": False, "health": "starting"}, "starting"),
        ({"health": "no connection to the broker"}, "no connection to the broker"),
    ],
)
def test_conditions(tmp_path: Path, facts: dict[str, Any], condition: str) -> None:
    write(tmp_path, "st2api", **facts)
    [seen] = heartbeats.read_all(tmp_path)
    assert seen.condition() == condition


def test_a_process_without_signs_of_life_is_stuck(tmp_path: Path) -> None:
    path = write(tmp_path, "st2api")
    os.utime(path, (time.time() - 60, time.time() - 60))
    [seen] = heartbeats.read_all(tmp_path)
    assert seen.condition() == "stuck: no sign of life for 60 s"
    assert not seen.well


def test_the_dead_are_not_shown_and_their_files_removed(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    killed = write(tmp_path, "st2api", pid=dead.pid)
    reused = write(tmp_path, "st2stream", started_at=time.time() - 100_000)
    living = write(tmp_path, "st2rulesengine")
    assert [each.name for each in heartbeats.read_all(tmp_path)] == ["st2rulesengine"]
    heartbeats.remove_dead(tmp_path)
    assert [path.exists() for path in (killed, reused, living)] == [False, False, True]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (61, "1m 1s"), (3 * 3600 + 62, "3h 1m"), (90_000, "1d 1h")]
)
def test_durations(seconds: int, text: str) -> None:
    assert f"up {text} " in heartbeats.table([beat("st2api", seconds)], ())[1]
