"""Signals reach the process that was meant, and nobody who was given its number later."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from st2ctl.processes import DetachedChild, PidFile, Process
from tests.conditions import eventually


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "100"]) as process:
        yield process
        process.kill()


def identity(child: subprocess.Popen[bytes]) -> Process:
    process = Process.of(child.pid)
    assert process is not None
    return process


def test_a_process_is_signalled_and_waited_for(child: subprocess.Popen[bytes]) -> None:
    process = identity(child)
    assert not process.wait(timeout=0)
    assert process.send(signal.SIGTERM)
    assert process.wait(timeout=5)
    assert child.wait() == -signal.SIGTERM


def test_another_process_with_the_same_number_gets_no_signal(child: subprocess.Popen[bytes]) -> None:
    earlier = Process(child.pid, identity(child).started - 1)
    assert not earlier.alive()
    assert not earlier.send(signal.SIGKILL)
    assert earlier.wait(timeout=0)
    assert identity(child).alive()


def test_a_zombie_counts_as_gone(child: subprocess.Popen[bytes]) -> None:
    process = identity(child)
    process.send(signal.SIGKILL)
    assert eventually(lambda: not process.alive())


def test_a_pid_file_knows_only_the_living(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    file = PidFile(tmp_path / "pids" / "st2api.pid")
    assert file.read() is None
    file.write(child.pid)
    assert file.read() == identity(child)
    child.kill()
    child.wait()
    assert file.read() is None


def test_a_pid_file_that_was_cut_off_names_nobody(tmp_path: Path) -> None:
    file = PidFile(tmp_path / "st2api.pid")
    file.path.write_text("12")
    assert file.read() is None


def test_a_detached_process_has_its_own_session_and_a_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "shell.log"
    print_session = "import os; print(os.getsid(0) == os.getpid(), os.environ['WHO'])"
    child = DetachedChild([sys.executable, "-c", print_session], log, {"WHO": "we"})
    assert eventually(lambda: child.poll() is not None)
    assert child.poll() == 0
    assert log.read_text() == "True we\n"
