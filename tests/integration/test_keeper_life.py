"""Who outlives whom: runner, keeper, children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from st2actionrunner.keeper.server import IDLE_GRACE
from st2actionrunner.launch import Exit
from tests.conditions import eventually
from tests.integration.keepers import Bench, alive, pids_in

RUNNER = """
import os, sys, time
from pathlib import Path
from st2actionrunner.keeper_client import KeeperClient
from st2actionrunner.launch import Launch

client = KeeperClient(Path(sys.argv[1]), lambda run, exited: None, lambda: None)
client.start_or_attach()
script = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo $i; sleep 0.01; done; echo $PPID"
client.spawn("r.1", Launch(argv=["/bin/sh", "-c", script], env={"PATH": os.environ["PATH"]}))
print("started", flush=True)
time.sleep(100)
"""


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "keeper"


@pytest.fixture
def bench(directory):
    bench = Bench(directory)
    yield bench
    bench.end()


def test_children_survive_the_death_of_their_runner_and_lose_no_line(directory):
    with subprocess.Popen([sys.executable, "-c", RUNNER, str(directory)], stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        runner.stdout.readline()
        eventually((directory / "runs" / "r.1" / "spool").exists)
        runner.kill()
    bench = Bench(directory)
    keeper = bench.keeper_pid()
    out, _, ended = bench.end_of("r.1")
    assert out.split() == [*map(str, range(1, 51)), str(keeper)]
    assert ended == Exit(exit_code=0)
    bench.end()


def test_a_new_runner_takes_the_place_of_the_old_one(bench, directory):
    bench.start("r.1", "/bin/sh", "-c", "echo first; sleep 100")
    bench.wait_for_output("r.1", "first")
    successor = Bench(directory)
    eventually(bench.lost.is_set)
    assert not bench.client.healthy()
    eventually(lambda: successor.growth_events("r.1") == 1)
    successor.client.kill("r.1")
    assert successor.end_of("r.1")[2].killed
    successor.client.close()


def test_without_runner_and_without_runs_it_ends_and_leaves_no_socket(bench, directory):
    bench.run("/bin/true")
    pid = bench.keeper_pid()
    bench.client.close()
    eventually(lambda: not alive(pid), timeout=IDLE_GRACE + 5)
    assert not {"keeper.sock", "keeper.pid"} & {path.name for path in directory.iterdir()}
    again = Bench(directory)
    assert again.keeper_pid() != pid
    # What has ended and is not forgotten is still there.
    assert [(run.run, run.exited) for run in again.client.runs()] == [("run0.1", True)]
    again.wait_for_exit("run0.1")
    again.client.forget("run0.1")
    assert again.client.runs() == []
    again.end()


def test_told_to_stop_it_ends_its_children_first(bench):
    bench.start("r.1", "/bin/sh", "-c", "trap 'echo bye; exit 1' TERM; echo ready; while :; do sleep 0.05; done")
    bench.wait_for_output("r.1", "ready")
    keeper = bench.keeper_pid()
    os.kill(keeper, signal.SIGTERM)
    eventually(lambda: not alive(keeper))
    assert bench.stdout("r.1") == "ready\nbye\n"
    assert bench.exit("r.1") == Exit(exit_code=1, killed=True)


def test_a_lost_keeper_is_told_and_its_successor_ends_the_orphans(bench, directory):
    bench.run("/bin/true")
    bench.start("r.1", "/bin/sh", "-c", "sleep 106 & echo $! $$; wait")
    pids = eventually(lambda: pids_in(bench.stdout("r.1")))
    os.kill(bench.keeper_pid(), signal.SIGKILL)
    eventually(bench.lost.is_set)
    assert not bench.client.healthy()
    with (directory / "runs" / "r.1" / "spool").open("ab") as spool:
        spool.write(b"torn")
    bench.client.start_or_attach()
    eventually(lambda: not any(alive(pid) for pid in pids))
    assert [run.run for run in bench.client.runs()] == ["run0.1"]
    assert bench.client.run_directories() == {"run0.1", "r.1"}


def test_a_keeper_that_dies_before_it_answers_is_replaced_and_not_told_as_lost(directory):
    directory.mkdir()
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(directory / "keeper.sock"))
        dying.listen()

        def die():
            accepted, _ = dying.accept()
            (directory / "keeper.sock").unlink()
            accepted.close()

        threading.Thread(target=die).start()
        bench = Bench(directory)
    assert bench.run("echo", "hello")[0] == "hello\n"
    assert not bench.lost.is_set()
    bench.end()


def test_many_runners_that_start_at_once_get_one_keeper(directory):
    command = [sys.executable, "-m", "st2actionrunner.keeper", str(directory)]
    starting = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(20) for process in starting] == [0] * 4
    bench = Bench(directory)
    assert bench.run("/bin/echo", "served")[0] == "served\n"
    bench.end()
