"""Whatever dies or stops while actions run: every printed line reaches every watcher once, and every action ends.

What happens when is drawn by chance. The seed is printed; ``CHAOS_SEED`` repeats a run.
"""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform
from tests.chaos.chaos import PATIENCE, SERVERS, Chaos
from tests.conditions import eventually

ACTIONS = 3

Disturb = Callable[[Chaos], None]


class Watcher:
    """``st2 execution tail`` of one execution, read all the time."""

    def __init__(self, platform: Platform, execution_id: str) -> None:
        self._process = platform.st2_in_background("execution", "tail", execution_id)
        self._text: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            self._text.extend(lines)

    @property
    def text(self) -> str:
        return "".join(self._text)

    def lines(self, stream: str) -> list[str]:
        return re.findall(rf"^\[[^\]]+\]\[{stream}\] (.*)$", self.text, flags=re.MULTILINE)

    def code(self) -> int:
        """The exit code, once it has ended."""
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the watcher does not end; it has seen:\n{self.text[-2000:]}")

    def close(self) -> None:
        """Ends it if it has not ended; ``text`` is complete then."""
        self._process.kill()
        self._process.wait()
        self._thread.join()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("chaos") / "var")
    with platform.running():
        yield platform


@pytest.fixture
def chaos(platform: Platform) -> Chaos:
    return Chaos(platform)


def kill_runner(chaos: Chaos) -> None:
    chaos.kill("st2actionrunner")
    chaos.pause(0, 1)
    chaos.restore()


def kill_runner_twice(chaos: Chaos) -> None:
    """The second time while it takes up what it finds."""
    kill_runner(chaos)
    chaos.pause(0, 0.3)
    kill_runner(chaos)


def kill_stream(chaos: Chaos) -> None:
    chaos.kill("st2stream")
    chaos.pause(0, 1)
    chaos.restore()


def kill_api_and_rules_engine(chaos: Chaos) -> None:
    for daemon in ("st2api", "st2rulesengine"):
        chaos.kill(daemon)
        chaos.pause(0, 0.5)
    chaos.restore()


def kill_broker(chaos: Chaos) -> None:
    """It is away for as long as it takes to start: five seconds and more."""
    chaos.kill("broker")
    chaos.restore()


def kill_database(chaos: Chaos) -> None:
    chaos.kill("database")
    chaos.pause(0, 3)
    chaos.restore()


def broker_away_for_a_minute(chaos: Chaos) -> None:
    chaos.kill("broker")
    chaos.pause(60, 60)
    chaos.restore()


def database_away_for_a_minute(chaos: Chaos) -> None:
    """Longer than a lease: nobody loses what runs."""
    chaos.kill("database")
    chaos.pause(60, 60)
    chaos.restore()


def freeze_runner(chaos: Chaos) -> None:
    chaos.freeze("st2actionrunner", 1, 4)


def broker_silent_for_a_second(chaos: Chaos) -> None:
    chaos.freeze("broker", 1, 1)


def database_silent_for_a_second(chaos: Chaos) -> None:
    chaos.freeze("database", 1, 1)


def kill_all(chaos: Chaos) -> None:
    chaos.kill_all(["st2actionrunner", "st2stream", "st2api", *SERVERS], 0.5)
    chaos.restore()


def start_action(platform: Platform, command: str) -> str:
    # Longer than anything is away.
    started = platform.st2("run", "core.local", f"cmd={command}", "timeout=600", "-a", "-j")
    assert started.returncode == 0, started.stdout + started.stderr
    [execution_id] = re.findall(r'^    "id": "(\w+)"', started.stdout, flags=re.MULTILINE)
    return str(execution_id)


def see_through(chaos: Chaos, go_on: Path, disturb: Disturb) -> None:
    """Run actions that print, watch them, disturb, let them end, and count the lines."""
    platform = chaos.platform
    count = (
        f"i=0; until [ -e {go_on} ]; do i=$((i+1)); echo out $i; echo err $i >&2; sleep 0.0$((RANDOM % 4)); done; "
        "echo last $i"
    )
    executions = [start_action(platform, count) for _ in range(ACTIONS)]
    watchers = [Watcher(platform, execution_id) for execution_id in executions]
    try:
        eventually(lambda: all(len(watcher.lines("stdout")) > 5 for watcher in watchers), PATIENCE)
        chaos.pause(0, 0.5)
        disturb(chaos)
        seen = [len(watcher.lines("stdout")) for watcher in watchers]
        eventually(
            lambda: all(len(w.lines("stdout")) > before for w, before in zip(watchers, seen, strict=True)), PATIENCE
        )
        go_on.touch()
        for execution_id, watcher in zip(executions, watchers, strict=True):
            assert watcher.code() == 0, watcher.text[-2000:]
            check(watcher)
            assert "status=succeeded" in watcher.text
            assert lines_seen_later(platform, execution_id) == watcher.lines("stdout")
    finally:
        go_on.touch()
        for watcher in watchers:
            watcher.close()


def lines_seen_later(platform: Platform, execution_id: str, code: int = 0) -> list[str]:
    """``code``: what a watcher of it ends with."""
    watcher = Watcher(platform, execution_id)
    try:
        assert watcher.code() == code, watcher.text[-2000:]
    finally:
        watcher.close()
    return watcher.lines("stdout")


def check(watcher: Watcher) -> None:
    """Every line once, in order, on both streams, up to the last."""
    watcher.close()
    *out, last = watcher.lines("stdout")
    assert out == [f"out {number + 1}" for number in range(len(out))]
    assert last == f"last {len(out)}"
    assert watcher.lines("stderr") == [f"err {number + 1}" for number in range(len(out))]


DISTURBANCES = [
    kill_runner_twice,
    kill_stream,
    kill_api_and_rules_engine,
    kill_broker,
    kill_database,
    freeze_runner,
    broker_silent_for_a_second,
    database_silent_for_a_second,
    *(
        pytest.param(away, marks=[pytest.mark.full, pytest.mark.timeout(300)])
        for away in (broker_away_for_a_minute, database_away_for_a_minute)
    ),
]


@pytest.mark.parametrize("disturb", DISTURBANCES)
def test_one_thing_fails(chaos: Chaos, tmp_path: Path, disturb: Disturb) -> None:
    see_through(chaos, tmp_path / "go_on", disturb)


def test_an_action_starts_once_whenever_its_runner_dies(chaos: Chaos, tmp_path: Path) -> None:
    """Killed around the claim and the start of actions: each still runs, and none of them twice."""
    wanted = [start_action(chaos.platform, f"echo ran >> {tmp_path}/{number}; sleep 0.2") for number in range(4)]
    chaos.pause(0, 0.1)
    chaos.kill("st2actionrunner")
    wanted += [start_action(chaos.platform, f"echo ran >> {tmp_path}/{number}") for number in range(4, 8)]
    chaos.restore()
    for execution_id in wanted:
        watcher = Watcher(chaos.platform, execution_id)
        code = watcher.code()
        watcher.close()
        assert code == 0, watcher.text
        assert "status=succeeded" in watcher.text
    assert [(tmp_path / str(number)).read_text() for number in range(8)] == ["ran\n"] * 8


def status_of(platform: Platform, execution_id: str) -> str:
    [status] = re.findall(
        r'^    "status": "(\w+)', platform.st2("execution", "get", execution_id, "-j").stdout, flags=re.MULTILINE
    )
    return str(status)


def test_a_runner_that_is_drained_leaves_what_is_queued(chaos: Chaos) -> None:
    runner = chaos.platform.process("st2actionrunner")
    runner.send(signal.SIGUSR2)
    eventually(lambda: status_of(chaos.platform, start_action(chaos.platform, "true")) == "requested", PATIENCE)
    waiting = start_action(chaos.platform, "true")
    chaos.kill("st2actionrunner")
    chaos.restore()
    eventually(lambda: status_of(chaos.platform, waiting) == "succeeded", PATIENCE)


@pytest.mark.full
@pytest.mark.timeout(300)
def test_a_runner_that_was_stopped_beyond_its_lease_writes_no_more(chaos: Chaos) -> None:
    """SIGSTOP until another owns the execution, then SIGCONT: its child ends, and its late lines are refused."""
    platform = chaos.platform
    execution_id = start_action(platform, "while :; do echo line; sleep 0.05; done")
    watcher = Watcher(platform, execution_id)
    try:
        eventually(lambda: len(watcher.lines("stdout")) > 5, PATIENCE)
        runner = platform.process("st2actionrunner")
        runner.send(signal.SIGSTOP)
        try:
            # A lease of 45 s, and a sweep.
            eventually(lambda: status_of(platform, execution_id) == "abandoned", 3 * PATIENCE)
        finally:
            runner.send(signal.SIGCONT)
        assert watcher.code() == 1
        seen = lines_seen_later(platform, execution_id, code=1)
        eventually(lambda: not list(platform.var.glob(f"**/runs/{execution_id}.1")), PATIENCE)
        assert lines_seen_later(platform, execution_id, code=1) == seen == watcher.lines("stdout")
    finally:
        watcher.close()


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("turn", range(5))
def test_everything_fails(chaos: Chaos, tmp_path: Path, turn: int) -> None:
    see_through(chaos, tmp_path / "go_on", kill_all)


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("turn", range(10))
def test_one_thing_fails_after_the_other(chaos: Chaos, tmp_path: Path, turn: int) -> None:
    def disturb(chaos: Chaos) -> None:
        for _ in range(3):
            chaos.chance.choice([kill_runner, kill_stream, kill_broker, kill_database, freeze_runner])(chaos)
            chaos.pause(0, 2)

    see_through(chaos, tmp_path / "go_on", disturb)
