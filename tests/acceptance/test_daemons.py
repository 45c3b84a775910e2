"""The development profile: daemons of their own, a private RabbitMQ and an embedded database."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from st2ctl import heartbeats, servers
from st2ctl.daemons import components
from st2ctl.installation import Installation
from st2ctl.processes import Process
from tests.acceptance.platforms import Platform, lines_of
from tests.conditions import eventually


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("daemons") / "var")
    with platform.running():
        yield platform


def start_action(platform: Platform, command: str) -> str:
    started = platform.st2("run", "core.local", f"cmd={command}", "-a", "-j")
    assert started.returncode == 0, started.stdout + started.stderr
    execution_id: str = json.loads(started.stdout)["id"]
    return execution_id


def test_every_daemon_is_well(platform: Platform) -> None:
    eventually(lambda: all(beat.well for beat in heartbeats.read_all(platform.var)))
    status = platform.ctl("status")
    assert status.returncode == 0
    title, *lines = status.stdout.splitlines()
    assert title == "##### st2 components status #####"
    assert [line.split(" PID: ")[0] for line in lines] == sorted(components(platform.config))
    assert all("healthy" in line for line in lines), status.stdout
    assert f"127.0.0.1:{platform.config.api.port}" in status.stdout
    assert platform.ctl("status", "--check").returncode == 0


def test_restart_during_a_running_action_loses_nothing(platform: Platform, tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    count = f"i=0; until [ -e {go_on} ]; do i=$((i+1)); echo line $i; sleep 0.02; done; echo last $i"
    execution_id = start_action(platform, count)
    tail = platform.st2_in_background("execution", "tail", execution_id)
    assert tail.stdout is not None
    first = tail.stdout.readline()
    before = platform.process("st2actionrunner")
    restarted = platform.ctl("restart")
    assert restarted.returncode == 0, restarted.stdout + restarted.stderr
    assert platform.process("st2actionrunner") != before
    go_on.touch()
    with tail:
        rest = tail.stdout.read()
        assert tail.wait() == 0, rest
    *lines, last = lines_of(first + rest)
    assert lines == [f"line {number + 1}" for number in range(len(lines))]
    assert last == f"last {len(lines)}"


def test_one_component_is_restarted(platform: Platform) -> None:
    names = components(platform.config)
    before = {name: platform.process(name) for name in names}
    assert platform.ctl("restart-component", "st2rulesengine").returncode == 0
    after = {name: platform.process(name) for name in names}
    assert [name for name in names if after[name] != before[name]] == ["st2rulesengine"]


def test_a_daemon_that_was_killed_is_shown_and_started_again(platform: Platform) -> None:
    process = platform.process("st2garbagecollector")
    process.send(signal.SIGKILL)
    assert process.wait(10)
    status = platform.ctl("status")
    assert "st2garbagecollector is not running." in status.stdout
    assert status.returncode == 0
    assert platform.ctl("status", "--check").returncode == 3
    platform.start()
    assert platform.process("st2garbagecollector") != process


def test_a_start_that_loses_its_database_meanwhile_ends_and_says_so(platform: Platform) -> None:
    database = servers.database(Installation.in_directory(platform.var), supervised=False)
    assert database.pid
    os.kill(database.pid, signal.SIGSTOP)
    daemon = platform.process("st2garbagecollector")
    daemon.send(signal.SIGKILL)
    assert daemon.wait(10)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(platform.ctl, "start")
        # It waits for the database, which does not answer.
        pid_file = platform.var / "pids" / "st2garbagecollector.pid"
        eventually(lambda: pid_file.read_text().split()[0] != str(daemon.pid))
        database.kill()
        started = starting.result()
    assert started.returncode == 1
    assert "the private database has ended" in started.stderr
    platform.start()
    eventually(lambda: all(beat.well for beat in heartbeats.read_all(platform.var)))


@pytest.mark.full
def test_a_sensor_ends_with_its_container_and_runs_again_with_the_next(platform: Platform) -> None:
    assert platform.st2("sensor", "enable", "examples.SampleSensor").returncode == 0
    first = running_sensor(platform)
    tail = platform.st2_in_background("sensor", "tail", "examples.SampleSensor")
    assert tail.stdout is not None
    assert "Sent an event of" in tail.stdout.readline()
    process = Process.of(first["pid"])
    assert process is not None
    platform.process("st2sensorcontainer").send(signal.SIGKILL)
    assert process.wait(10)
    platform.start()
    said, _ = tail.communicate(timeout=60)
    assert "The process of sensor examples.SampleSensor has ended (status=lost)" in said
    assert tail.returncode == 1
    second = running_sensor(platform)
    assert second["id"] != first["id"]
    assert platform.st2("sensor", "disable", "examples.SampleSensor").returncode == 0
    ended = platform.st2("sensor", "tail", "examples.SampleSensor")
    assert (ended.returncode, "status=stopped, exit code 0" in ended.stderr) == (0, True), ended.stderr


def running_sensor(platform: Platform) -> dict[str, Any]:
    def run() -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(platform.st2("sensor", "get", "examples.SampleSensor", "-j").stdout).get(
            "run", {}
        )
        return shown if shown.get("status") == "running" else {}

    return eventually(run, timeout=60)


@pytest.mark.parametrize("component", ["st2api", "st2rulesengine"])
def test_a_daemon_opens_its_log_again_when_it_was_moved_away(platform: Platform, component: str) -> None:
    log = platform.var / "logs" / f"{component}.log"
    before = platform.process(component)
    moved = log.rename(log.with_suffix(".1"))
    reopened = platform.ctl("reopen-log-files", component)
    assert reopened.returncode == 0, reopened.stderr
    assert f"{component} PID: " in reopened.stdout
    eventually(log.exists)
    assert platform.process(component) == before
    size = moved.stat().st_size
    assert platform.ctl("restart-component", component).returncode == 0
    assert f"{component} is ready" in log.read_text()
    assert moved.stat().st_size == size


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(platform: Platform, tmp_path: Path) -> None:
    examined = platform.ctl("doctor", "-j")
    found = json.loads(examined.stdout)
    assert examined.returncode == 0, examined.stdout
    assert {finding["check"] for finding in found} >= {"configuration", "broker", "database", "clocks", "disk", "packs"}
    assert any("action_execution_d_b" in finding["text"] for finding in found)
    sick = tmp_path / "st2.conf"
    text = (platform.var / "st2.conf").read_text()
    sick.write_text(text.replace("guest:guest", "guest:wrong-word") + "\n[nonsense]\nkey = value\n")
    examined = platform.ctl("doctor", "--config-file", str(sick), place=())
    assert examined.returncode == 1
    assert "problem  broker: 127.0.0.1" in examined.stdout
    assert "[nonsense] key is not an option" in examined.stdout
    assert "-> " in examined.stdout
    assert "wrong-word" not in examined.stdout


def test_reload_registers_and_shows_the_status(platform: Platform) -> None:
    reloaded = platform.ctl("reload", "--register-actions")
    assert reloaded.returncode == 0, reloaded.stdout + reloaded.stderr
    assert "##### st2 components status #####" in reloaded.stdout


def test_stop_with_cancel_ends_the_actions_that_run(platform: Platform) -> None:
    execution_id = start_action(platform, "echo begun; sleep 600")
    tail = platform.st2_in_background("execution", "tail", execution_id)
    assert tail.stdout is not None
    assert tail.stdout.readline().endswith("begun\n")
    try:
        stopped = platform.ctl("stop", "--cancel-actions")
    finally:
        tail.kill()
        tail.communicate()
    assert stopped.returncode == 0
    assert f"Cancelled {execution_id}" in stopped.stdout
    assert platform.processes() == {}
    platform.start()
    canceled = json.loads(platform.st2("execution", "get", execution_id, "-j").stdout)
    assert canceled["status"] == "canceled"


@pytest.mark.full
def test_clean_starts_anew_and_asks_before(platform: Platform) -> None:
    execution_id = start_action(platform, "true")
    declined = platform.ctl("clean", answer="n\n")
    assert declined.returncode == 0
    assert platform.st2("execution", "get", execution_id).returncode == 0
    cleaned = platform.ctl("clean", answer="y\n")
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    assert platform.st2("execution", "get", execution_id).returncode == 1
    assert platform.st2("run", "core.local", "cmd=true").returncode == 0


@pytest.mark.full
def test_a_second_platform_on_the_same_ports_is_refused(platform: Platform, tmp_path: Path) -> None:
    var = tmp_path / "var"
    var.mkdir()
    text = (platform.var / "st2.conf").read_text()
    (var / "st2.conf").write_text(text.replace(str(platform.var), str(var)))
    other = Platform(var, ["standalone"])
    started = other.ctl("start")
    assert started.returncode == 1
    assert "in use by another program" in started.stderr
    assert other.processes() == {}
