"""Workflows with the official client: run, look at, watch, pause, cancel, repeat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.acceptance.platforms import Platform
from tests.conditions import eventually
from tests.flows import NOTES, write_pack
from tests.official.client import TIMEOUT, Client
from tests.official.conftest import Status
from tests.official.gate import Gate, gate_before


@pytest.fixture(scope="module", autouse=True)
def flows(open_platform: Platform) -> None:
    """The pack ``flows`` is registered."""
    write_pack(open_platform.var / "packs")
    url = f"{open_platform.urls['ST2_API_URL']}/packs/register"
    assert requests.post(url, json={"packs": ["flows"]}, timeout=TIMEOUT).status_code == 200


@pytest.fixture
def gate(open_platform: Platform) -> Iterator[Gate]:
    with gate_before(open_platform.urls["ST2_STREAM_URL"]) as gate:
        yield gate


class Run:
    """A run of ``flows.outer``, which waits in its innermost step until it is let go on."""

    def __init__(self, st2: Client, directory: Path) -> None:
        self.notes, self._gate = directory / "notes", directory / "gate"
        self.id = st2.started("flows.outer", f"notes={self.notes}", f"gate={self._gate}")

    def go_on(self) -> None:
        self._gate.touch()

    def waits(self) -> bool:
        return self.notes.exists() and "wait" in self.notes.read_text()


@pytest.fixture
def run(st2: Client, tmp_path: Path) -> Run:
    run = Run(st2, tmp_path)
    eventually(run.waits, TIMEOUT)
    return run


def test_tasks_are_shown(st2: Client, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    shown = st2("run", "--show-tasks", "flows.outer", f"notes={tmp_path / 'notes'}", f"gate={tmp_path / 'gate'}").out
    for task in ("before", "wait", "nothing", "after"):
        assert re.search(rf"\| *(?:\+ )?[0-9a-f]{{24}}.*\| {task} +\| ", shown), shown
    assert re.search(r"\+ [0-9a-f]{24}.*\| inner ", shown), shown
    assert sorted((tmp_path / "notes").read_text().splitlines()) == NOTES


def test_one_execution_with_its_tasks(st2: Client, run: Run, status: Status) -> None:
    run.go_on()
    eventually(lambda: status(run.id) == "succeeded", TIMEOUT)
    shown = st2("execution", "get", run.id).out
    assert "said: one" in shown
    assert re.search(r"[0-9a-f]{24}.*\| before ", shown), shown
    assert st2("execution", "list", "-n", "1", "-j").json()[0]["id"] == run.id


def test_tail_of_a_nested_workflow(st2: Client, run: Run, gate: Gate) -> None:
    late = st2.having(ST2_STREAM_URL=gate.url)
    gate.open()
    with late.background("execution", "tail", run.id) as tail:
        gate.wait_for_an_answer()
        run.go_on()
        out, _ = tail.communicate(timeout=TIMEOUT)
    assert tail.returncode == 0
    assert re.search(r"Child execution \(task=wait\) [0-9a-f]{24} has finished \(status=succeeded\)\.", out), out
    assert re.search(r"Child execution \(task=inner\) [0-9a-f]{24} has finished \(status=succeeded\)\.", out), out
    after = re.findall(r"Child execution \(task=after\) ([0-9a-f]{24}) has started\.", out)
    assert len(set(after)) == 2
    assert {"last 1", "last 2"} <= set(out.splitlines())
    assert out.endswith(f"\nExecution {run.id} has completed (status=succeeded).\n")


def test_tail_of_a_workflow_that_has_ended(st2: Client) -> None:
    execution_id = st2.started("flows.failing")
    eventually(lambda: "failed" in st2("execution", "get", execution_id).out, TIMEOUT)
    out = st2("execution", "tail", execution_id).out
    assert "fine" in out
    assert out.index("fine") < out.index("bad\n")
    assert out.endswith(f"Execution {execution_id} has completed (status=failed).\n")


def test_pause_and_resume(st2: Client, run: Run, status: Status) -> None:
    st2("execution", "pause", run.id)
    eventually(lambda: status(run.id) == "pausing")
    run.go_on()
    eventually(lambda: status(run.id) == "paused", TIMEOUT)
    st2("execution", "resume", run.id)
    eventually(lambda: status(run.id) == "succeeded", TIMEOUT)
    assert sorted(run.notes.read_text().splitlines()) == NOTES


def test_cancel(st2: Client, run: Run, status: Status) -> None:
    st2("execution", "cancel", run.id)
    eventually(lambda: status(run.id) == "canceled", TIMEOUT)
    assert run.notes.read_text().splitlines() == ["before", "wait"]


def test_a_task_runs_again(st2: Client, status: Status) -> None:
    execution_id = st2.started("flows.failing")
    eventually(lambda: status(execution_id) == "failed", TIMEOUT)
    again = st2("execution", "re-run", execution_id, "--tasks", "bad", "-j", code=1).out
    [identity, *_] = re.findall(r'"id": "([0-9a-f]{24})"', again)
    shown = st2("execution", "get", identity).out
    assert "| bad " in shown
    assert "| good " not in shown
