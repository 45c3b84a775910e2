"""A runner that starts beside the keeper of an earlier version, which still has runs."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from st2actionrunner import keeper_client, keepers
from st2common.output.chunk import Stream
from tests.conditions import eventually
from tests.integration.actionrunner.bench import PATIENCE, Bench
from tests.integration.keepers import alive, all_gone, pids_in

ROOT = Path(__file__).parents[3]


@pytest.fixture
def earlier(bench: Bench, tmp_path: Path) -> tuple[str, int]:
    """An execution that runs under a keeper of other code, and that keeper; their runner has gone."""
    other = tmp_path / "earlier"
    for package in ("st2actionrunner", "st2common"):
        shutil.copytree(ROOT / package, other / package, ignore=shutil.ignore_patterns("__pycache__"))
    server = other / "st2actionrunner/keeper/server.py"
    begin, mark = "def serve(self) -> None:\n", "        complain('earlier')\n"
    server.write_text(server.read_text().replace(begin, begin + mark))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper_client, "_PACKAGE_ROOT", other)
        patch.setattr(keepers, "version", lambda: "earlier")
        runner = bench.runner()
        execution_id = bench.request(
            f"i=0; until [ -e {tmp_path}/go ]; do i=$((i+1)); echo line $i; sleep 0.01; done; echo $PPID >&2; exit 7"
        )
        bench.wait_for_output(execution_id, b"line 5\n")
        [keeper] = bench.keepers()
        bench.stop(runner)
    [log] = bench.directory.glob("runner/*/keepers/earlier/keeper.log")
    assert log.read_text() == "earlier\n"
    return execution_id, keeper


def children_of(pid: int) -> list[int]:
    return pids_in(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def versions(bench: Bench) -> set[str]:
    return {path.name for path in bench.directory.glob("runner/*/keepers/*")}


def test_an_upgrade_leaves_running_actions_to_the_keeper_that_started_them(
    bench: Bench, earlier: tuple[str, int], tmp_path: Path
) -> None:
    execution_id, former = earlier
    runner = bench.runner()
    bench.wait_for_output(execution_id, b"line 100\n")
    started = bench.run("echo $PPID")
    assert alive(former)
    assert set(bench.keepers()) == {former, int(started["result"]["stdout"])}
    (tmp_path / "go").touch()
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["attempt"], ended["result"]["return_code"]) == ("failed", 1, 7)
    lines = bench.output(execution_id).decode().splitlines()
    assert lines == [f"line {number + 1}" for number in range(len(lines))]
    assert bench.output(execution_id, Stream.STDERR) == f"{former}\n".encode()
    # The former keeper has nothing more to do, and ends although the runner goes on.
    eventually(lambda: not alive(former), PATIENCE)
    assert runner.health() is None
    assert bench.run("echo on")["result"]["stdout"] == "on"
    eventually(lambda: bench.run_directories() == [])
    bench.stop(runner)
    bench.runner()
    assert versions(bench) == {keepers.version()}


def test_a_former_keeper_that_is_killed(bench: Bench, earlier: tuple[str, int]) -> None:
    execution_id, former = earlier
    runner = bench.runner()
    bench.wait_for_output(execution_id, b"line 50\n")
    children = children_of(former)
    os.kill(former, signal.SIGKILL)
    ended = bench.ended(execution_id)
    assert ended["status"] == "abandoned"
    eventually(lambda: all_gone(children), PATIENCE)
    eventually(lambda: runner.health() is None, PATIENCE)
    assert bench.run("echo on")["result"]["stdout"] == "on"


def test_a_former_keeper_that_was_gone_before(bench: Bench, earlier: tuple[str, int]) -> None:
    execution_id, former = earlier
    children = children_of(former)
    os.kill(former, signal.SIGKILL)
    bench.runner()
    assert bench.ended(execution_id)["status"] == "abandoned"
    eventually(lambda: all_gone(children), PATIENCE)
    # One of our version had taken its place, to end the child, and has nothing more to do.
    eventually(lambda: len(bench.keepers()) == 1, PATIENCE)
