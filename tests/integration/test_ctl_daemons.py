"""Starting and stopping processes that behave, that die, and that never become ready."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from st2ctl import daemons, heartbeats, running_actions
from st2ctl.daemons import Daemon
from st2ctl.installation import CommandError, Installation
from tests.conditions import eventually

# What every daemon of ours does, and nothing else.
WELL_BEHAVED = """
import sys
from pathlib import Path
from st2common import service
sys.exit(service.run(sys.argv[1], [], Path(sys.argv[2]), 5))
"""

MakeDaemon = Callable[..., Daemon]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation.in_directory(tmp_path / "var")


@pytest.fixture
def make(installation: Installation) -> Iterator[MakeDaemon]:
    made: list[Daemon] = []

    def make(name: str = "st2rulesengine", number: int = 1, program: str = WELL_BEHAVED) -> Daemon:
        command = (sys.executable, "-c", program, name, str(installation.state_path))
        made.append(Daemon(installation, name, number, command))
        return made[-1]

    yield make
    for daemon in made:
        process = daemon.process()
        if process is not None:
            process.send(signal.SIGKILL)


def silent(_line: str) -> None:
    """For commands whose words are not what a test is about."""


def test_start_waits_until_each_is_ready(make: MakeDaemon, installation: Installation) -> None:
    told: list[str] = []
    daemons.start([make(), make("st2actionrunner"), make("st2actionrunner", 2)], told.append)
    assert sorted(told) == ["st2actionrunner is ready", "st2actionrunner.2 is ready", "st2rulesengine is ready"]
    beats = heartbeats.read_all(installation.state_path)
    assert [beat.name for beat in beats] == ["st2actionrunner", "st2actionrunner", "st2rulesengine"]
    assert all(beat.well for beat in beats)


def test_what_runs_is_not_started_again(make: MakeDaemon) -> None:
    daemon = make()
    daemons.start([daemon], silent)
    process = daemon.process()
    daemons.start([daemon], silent)
    assert daemon.process() == process


def test_stop_finds_every_process_that_was_started(make: MakeDaemon, installation: Installation) -> None:
    daemons.start([make("st2actionrunner", number) for number in (1, 2, 3)], silent)
    processes = [beat.process for beat in heartbeats.read_all(installation.state_path)]
    daemons.stop(daemons.recorded(installation, ["st2actionrunner"]), silent)
    assert [process.alive() for process in processes] == [False, False, False]
    assert daemons.recorded(installation, ["st2actionrunner"]) == []
    assert heartbeats.read_all(installation.state_path) == []


def test_a_daemon_that_dies_while_it_starts_is_named_with_its_last_words(make: MakeDaemon) -> None:
    dies = "import sys; print('no such database: nirvana', file=sys.stderr); sys.exit(3)"
    with pytest.raises(CommandError, match=r"st2api ended while it started \(exit code 3\)(?s:.*)nirvana"):
        daemons.start([make("st2api", program=dies), make()], silent)


def test_words_of_an_earlier_run_are_not_repeated(make: MakeDaemon) -> None:
    for words, forgotten in (("one", "nothing"), ("two", "one")):
        with pytest.raises(CommandError) as failed:
            daemons.start([make("st2api", program=f"import sys; sys.exit('{words}')")], silent)
        assert words in str(failed.value)
        assert forgotten not in str(failed.value)


def test_a_daemon_that_never_becomes_ready_is_given_up(make: MakeDaemon) -> None:
    with pytest.raises(CommandError, match=r"st2stream is not ready after 0 s"):
        daemons.start([make("st2stream", program="import time; time.sleep(60)")], silent, timeout=0.2)


def test_a_daemon_is_asked_once_to_stop(make: MakeDaemon) -> None:
    counts = (
        "import signal, time;"
        "signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True)); print('ready', flush=True);"
        "signal.pause(); time.sleep(0.5)"
    )
    daemon = make("st2stream", program=counts)
    starting = daemon.spawn()
    eventually(lambda: "ready" in starting.last_words())
    told: list[str] = []
    daemons.stop([daemon], told.append)
    assert told == []
    assert starting.last_words().split() == ["ready", "asked"]


def test_a_daemon_that_does_not_stop_is_killed(make: MakeDaemon) -> None:
    ignores = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
        "import time; time.sleep(60)"
    )
    daemon = make("st2stream", program=ignores)
    starting = daemon.spawn()
    eventually(lambda: "deaf" in starting.last_words())
    told: list[str] = []
    daemons.stop([daemon], told.append, timeout=0.2)
    assert told == ["st2stream did not stop within 0 s and was killed"]
    with pytest.raises(CommandError, match=f"exit code -{signal.SIGKILL.value}"):
        starting.ready()


def test_a_port_of_another_program_is_named_before_anything_starts(
    make: MakeDaemon, installation: Installation
) -> None:
    daemon = make("st2api")
    with (
        socket.create_server(("127.0.0.1", installation.config.api.port)),
        pytest.raises(CommandError, match=rf"in use by another program.*\[api\] of {installation.conf}"),
    ):
        daemons.start([daemon], silent)
    assert daemon.process() is None


def test_a_component_that_is_none(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPONENTS", "st2api st2nonsense")
    with pytest.raises(CommandError, match="st2nonsense is not a component"):
        daemons.components(installation.config)


def test_waiting_for_running_actions_ends_with_the_last_of_them(tmp_path: Path) -> None:
    run = tmp_path / "runner/1/keepers/abc/runs" / "65f0a1b2c3d4e5f6a7b8c9d0.1"
    run.mkdir(parents=True)
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if run.exists():
            run.rmdir()

    running_actions.wait(tmp_path, 30, tell)
    assert told == ["Waiting up to 30 s for 1 running action"]


def test_actions_that_do_not_end_in_time_are_named(tmp_path: Path) -> None:
    (tmp_path / "runner/1/keepers/abc/runs" / "65f0a1b2c3d4e5f6a7b8c9d0.1").mkdir(parents=True)
    told: list[str] = []
    running_actions.wait(tmp_path, 0, told.append)
    assert "65f0a1b2c3d4e5f6a7b8c9d0" in told[-1]
