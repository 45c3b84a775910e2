"""The standalone mode as people use it: start, run, watch, stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from st2ctl.daemons import COMPONENTS
from st2ctl.processes import Process
from tests import dashboard
from tests.acceptance.platforms import Platform, lines_of
from tests.conditions import eventually

COUNT = "cmd=for i in 1 2 3; do echo line $i; done"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("standalone") / "var", ["standalone"])
    with platform.running():
        yield platform


def test_an_action_is_run_and_watched(platform: Platform) -> None:
    ran = platform.st2("run", "core.local", COUNT, "--tail")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert lines_of(ran.stdout) == ["line 1", "line 2", "line 3"]
    assert "has completed (status=succeeded)" in ran.stdout


def test_the_demo_runs_and_says_what_to_try_next(platform: Platform) -> None:
    demo = platform.ctl("demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert len(lines_of(demo.stdout)) >= 5
    assert "core.local" in demo.stdout
    assert f"http://127.0.0.1:{platform.config.api.port}/ in a browser" in demo.stdout


def test_status_and_a_second_start(platform: Platform) -> None:
    status = platform.ctl("status").stdout.splitlines()
    assert status[0] == "##### st2 components status #####"
    assert f"st2standalone PID: {platform.process('st2standalone').pid}" in status[1]
    assert "healthy" in status[1]
    again = platform.ctl("start")
    assert again.returncode == 0
    assert "runs already" in again.stdout
    daemons = Platform(platform.var).ctl("start")
    assert daemons.returncode == 1
    assert "st2ctl standalone stop" in daemons.stderr


def test_its_readiness_is_that_of_every_service(platform: Platform) -> None:
    answer = requests.get(f"http://127.0.0.1:{platform.config.api.port}/v1/readyz", timeout=10)
    assert answer.status_code == 200
    ours = {name for name in COMPONENTS if name != "st2auth" or platform.config.auth.enable}
    assert set(answer.json()["checks"]) == {"database", "broker", "workflow engine", *ours}
    assert set(answer.json()["checks"].values()) == {"ok"}


def test_the_dashboard_asks_for_what_is_there(platform: Platform) -> None:
    assert platform.st2("run", "core.local", COUNT).returncode == 0
    answer = requests.get(f"http://127.0.0.1:{platform.config.api.port}/v1/metrics", timeout=10)
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    exposed = {name for name in families if name.startswith("st2_")}
    exposed |= {sample.name for family in families.values() for sample in family.samples}
    for query in dashboard.queries():
        for name in dashboard.metrics_of(query):
            assert name in exposed or name.removesuffix("_total") in exposed, query
    sampled = {sample.name: set(sample.labels) for family in families.values() for sample in family.samples}
    asked = [(name, labels) for query in dashboard.queries() for name, labels in dashboard.labels_of(query)]
    compared = [(name, labels) for name, labels in asked if name in sampled]
    assert [name for name, labels in compared if not labels <= sampled[name]] == []
    assert {"st2_output_lines_total", "st2_executions_ended_total", "st2_gc_runs_total"} <= {n for n, _ in compared}


def test_a_database_that_dies_is_started_again(platform: Platform) -> None:
    pid_file = platform.var / "database" / "database.pid"
    before = pid_file.read_text()
    database = Process.of(int(before.split()[0]))
    assert database is not None
    database.send(signal.SIGKILL)
    eventually(lambda: pid_file.exists() and pid_file.read_text() not in ("", before))
    ran = platform.st2("run", "core.local", COUNT, "--tail")
    assert lines_of(ran.stdout) == ["line 1", "line 2", "line 3"], ran.stdout + ran.stderr


def test_a_crash_loses_no_line_of_a_running_action(platform: Platform, tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    command = f"cmd=echo before; until [ -e {go_on} ]; do sleep 0.05; done; echo after"
    execution_id = platform.st2("run", "core.local", command, "-a", "-j").stdout
    tail = platform.st2_in_background("execution", "tail", "last")
    assert tail.stdout is not None
    assert tail.stdout.readline().endswith("before\n"), execution_id
    crashed = platform.process("st2standalone")
    crashed.send(signal.SIGKILL)
    assert crashed.wait(10)
    go_on.touch()
    platform.start()
    with tail:
        rest = tail.stdout.read()
        assert tail.wait() == 0, rest
    assert lines_of(rest) == ["after"]


def test_stop_leaves_nothing(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "var", ["standalone"])
    try:
        platform.start()
        assert platform.st2("run", "core.local", "cmd=true").returncode == 0
        assert platform.processes()
        assert platform.ctl("stop").returncode == 0
        assert platform.processes() == {}
        assert "No platform runs" in platform.ctl("stop").stdout
    finally:
        platform.kill_everything()
