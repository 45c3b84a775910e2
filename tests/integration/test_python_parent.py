"""Python programs that start as a fork of a warm interpreter."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import st2common
from st2actionrunner.launch import Exit, PythonParent
from st2actionrunner.spool import STDERR
from tests.conditions import eventually
from tests.integration.keepers import Bench

PLATFORM = str(Path(st2common.__file__).parent.parent)
# Without a locale an interpreter that starts adds a variable of its own.
ENVIRONMENT = {"ONLY": "this", "PYTHONPATH": PLATFORM, "LANG": "C.UTF-8"}
PROGRAM = ["-m", "st2common.runners.python_action"]

SOURCE = """
import atexit, os, signal, sys, tempfile, threading
from st2common.runners.base_action import Action

class Mine(Action):
    def run(self, what, **parameters):
        return getattr(self, what)(**parameters)

    def facts(self):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        main = sys.modules["__main__"]
        return {
            "parent": os.getppid(),
            "session": os.getsid(0) == os.getpid(),
            "environment": dict(os.environ),
            "directory": os.getcwd(),
            "descriptors": sorted(os.listdir("/proc/self/fd"))[:-1],
            "ignored": [str(s) for s in signal.Signals if signal.getsignal(s) == signal.SIG_IGN],
            "main": main.__name__,
            "first": sys.path[0],
        }

    def fail(self):
        raise RuntimeError("no way")

    def leave_open(self):
        # What only the end of an interpreter sees to.
        global unclosed, temporary, last_words
        unclosed = open("unclosed", "w")
        unclosed.write("written")
        temporary = tempfile.NamedTemporaryFile(dir=".", prefix="temporary")
        last_words = LastWords()
        atexit.register(print, "from an exit handler")
        thread = threading.Thread(target=lambda: (threading.main_thread().join(), print("from a thread")))
        thread.start()

    def close_stdout(self):
        sys.stdout.close()

    def leave(self):
        threading.Thread(target=lambda: print("from a thread")).start()
        sys.exit(9)

    def wait(self):
        print("waiting")
        threading.Event().wait()

class LastWords:
    def __del__(self):
        print("from a finalizer")
"""


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path / "keeper")
    yield bench
    bench.end()


@pytest.fixture
def act(bench, tmp_path):
    """Start SOURCE; the name of the run."""
    (tmp_path / "act.py").write_text(SOURCE)
    started: list[str] = []

    def act(what: str, parent: PythonParent | None, argv: list[str] | None = None, **options: Any) -> str:
        name = f"py{len(started)}.1"
        started.append(name)
        request = {
            "file_path": str(tmp_path / "act.py"),
            "pack": "examples",
            "parameters": {"what": what},
            "result_path": str(bench.client.run_directory(name) / "result"),
        }
        stdin = json.dumps(request).encode()
        bench.start(name, *(argv or PROGRAM), env=ENVIRONMENT, stdin=stdin, parent=parent, **options)
        return name

    return act


def result_of(bench: Bench, run: str) -> Any:
    return json.loads((bench.client.run_directory(run) / "result").read_text())["result"]


def warm(watch: str | None = None, python: str = sys.executable) -> PythonParent:
    return PythonParent(python, (PLATFORM,), watch)


def children_of(pid: int) -> set[int]:
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_a_warm_action_cannot_be_told_from_a_cold_one(bench, act):
    cold = act("facts", None, [sys.executable, "-P", "-u", *PROGRAM], cwd="/usr")
    for parent in (warm(), warm()):
        run = act("facts", parent, cwd="/usr")
        assert bench.end_of(run) == ("to stdout\n", "to stderr\n", Exit(exit_code=0)) == bench.end_of(cold)
        facts = result_of(bench, run)
        assert facts == result_of(bench, cold)
        assert facts["parent"] == bench.keeper_pid()
        assert facts["environment"] == ENVIRONMENT
    assert len(children_of(bench.keeper_pid())) == 1


def test_the_full_command_means_the_same(bench, act):
    run = act("facts", warm(), [sys.executable, "-u", *PROGRAM])
    assert bench.end_of(run)[2] == Exit(exit_code=0)
    assert len(children_of(bench.keeper_pid())) == 1


def test_exceptions_exit_codes_and_threads(bench, act):
    failed = act("fail", warm())
    out, err, ended = bench.end_of(failed)
    assert (out, ended) == ("", Exit(exit_code=1))
    assert err.startswith("Traceback")
    assert err.endswith("RuntimeError: no way\n")
    assert bench.end_of(act("leave", warm())) == ("from a thread\n", "", Exit(exit_code=9))


def test_its_end_is_that_of_an_interpreter(bench, act, tmp_path):
    for parent in (None, warm()):
        directory = tmp_path / ("warm" if parent else "cold")
        directory.mkdir()
        run = act("leave_open", parent, [sys.executable, "-P", "-u", *PROGRAM], cwd=str(directory))
        told = "from a thread\nfrom an exit handler\nfrom a finalizer\n"
        assert bench.end_of(run) == (told, "", Exit(exit_code=0))
        assert [(file.name, file.read_text()) for file in directory.iterdir()] == [("unclosed", "written")]
        assert bench.end_of(act("close_stdout", parent, [sys.executable, "-P", "-u", *PROGRAM])) == (
            "",
            "",
            Exit(exit_code=0),
        )


def test_it_is_ended_like_any_child(bench, act):
    run = act("wait", warm())
    bench.wait_for_output(run, "waiting")
    bench.client.kill(run)
    assert bench.end_of(run)[2] == Exit(signal=15, killed=True)
    timed = act("wait", warm(), timeout=0.5)
    assert bench.end_of(timed)[2] == Exit(signal=15, timed_out=True)


def test_a_terminal(bench, act):
    run = act("facts", warm(), pty=True)
    out, err, _ = bench.end_of(run)
    assert (out, err) == ("to stdout\nto stderr\n", "")


def test_many_at_once(bench, act):
    runs = [act("facts", warm()) for _ in range(30)]
    for run in runs:
        assert bench.end_of(run, timeout=30)[2] == Exit(exit_code=0)
    assert len(children_of(bench.keeper_pid())) == 1


def test_a_change_of_the_watched_directory_brings_a_new_parent(bench, act, tmp_path):
    watched = tmp_path / "site-packages"
    watched.mkdir()
    bench.end_of(act("facts", warm(str(watched))))
    old = children_of(bench.keeper_pid())
    bench.end_of(act("facts", warm(str(watched))))
    assert children_of(bench.keeper_pid()) == old
    os.utime(watched, ns=(0, 0))
    bench.end_of(act("facts", warm(str(watched))))
    eventually(lambda: len(children_of(bench.keeper_pid())) == 1 and children_of(bench.keeper_pid()) != old)


def test_a_parent_that_dies_is_replaced(bench, act):
    bench.end_of(act("facts", warm()))
    (parent,) = children_of(bench.keeper_pid())
    os.kill(parent, 9)
    eventually(lambda: parent not in children_of(bench.keeper_pid()))
    assert bench.end_of(act("facts", warm()))[2] == Exit(exit_code=0)


def test_where_no_parent_can_be_the_child_starts_cold_and_says_why_it_fails(bench, act, tmp_path):
    missing = bench.end_of(act("facts", warm(python="/no/such/python")))[2]
    assert missing.error == '"/no/such/python" could not be started: No such file or directory'
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho broken >&2\nexit 5\n")
    broken.chmod(0o755)
    run = act("facts", warm(python=str(broken)))
    assert bench.end_of(run)[2] == Exit(exit_code=5)
    assert bench.text(run, STDERR) == "broken\n"
    nowhere = bench.end_of(act("facts", warm(), cwd="/no/such/place"))[2]
    assert nowhere.error is not None
    assert "/no/such/place" in nowhere.error


def test_parents_end_with_their_keeper(bench, act):
    bench.end_of(act("facts", warm()))
    (parent,) = children_of(bench.keeper_pid())
    bench.end()
    eventually(lambda: not Path(f"/proc/{parent}").exists() or "Z" in Path(f"/proc/{parent}/stat").read_text().split())
