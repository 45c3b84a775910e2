"""``st2 execution tail`` and ``st2 run --tail`` of the official client: what they print, and that they end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform
from tests.conditions import eventually
from tests.official.client import TIMEOUT, Client
from tests.official.conftest import Status
from tests.official.gate import Gate, gate_before

STAMP = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\]"


@pytest.fixture
def gate(open_platform: Platform) -> Iterator[Gate]:
    """A gate before the stream service."""
    with gate_before(open_platform.urls["ST2_STREAM_URL"]) as gate:
        yield gate


@pytest.fixture
def late(st2: Client, gate: Gate) -> Client:
    """A client who comes to the stream through the gate."""
    return st2.having(ST2_STREAM_URL=gate.url)


class Pause:
    """A shell command that waits until the test lets it go on."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self._file = directory / "go_on"
        self.command = f"until [ -e {self._file} ]; do sleep 0.02; done"

    def end(self) -> None:
        self._file.touch()


@pytest.fixture
def pause(tmp_path: Path) -> Pause:
    return Pause(tmp_path)


def ended(execution_id: str, status: str = "succeeded") -> str:
    return f"Execution {execution_id} has completed (status={status}).\n"


def test_a_running_execution(st2: Client, late: Client, gate: Gate, pause: Pause, status: Status) -> None:
    execution_id = st2.started("core.local", f"cmd=echo before; {pause.command}; echo one; echo; printf two")
    eventually(lambda: status(execution_id) == "running")
    gate.open()
    with late.background("execution", "tail", execution_id) as tail:
        gate.wait_for_an_answer()
        pause.end()
        out, _ = tail.communicate(timeout=TIMEOUT)
    assert tail.returncode == 0
    # What was printed before the client came is not in its stream.
    assert out == f"one\n\ntwo\n{ended(execution_id)}"


def test_run_and_tail(late: Client, gate: Gate, pause: Pause) -> None:
    gate.open()
    with late.background("run", "--tail", "core.local", f"cmd={pause.command}; echo one; echo two; exit 3") as run:
        gate.wait_for_an_answer()
        pause.end()
        out, _ = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 1
    assert re.match(
        r'Tailing execution "([0-9a-f]{24})"\n'
        # The event of its start is there before the client is, or after.
        r"(?:Execution \1 has started\.\n\n)*"
        r"one\ntwo\n"
        r"\nExecution \1 has completed \(status=failed\)\.\n\n",
        out,
    ), out
    assert "return_code: 3" in out


def test_one_that_has_ended(st2: Client) -> None:
    execution_id = st2.ran("core.local", "cmd=echo one; echo two; echo oops >&2")["id"]
    out = st2("execution", "tail", execution_id).out
    assert sorted(out.splitlines()[:3]) == ["one", "oops", "two"]
    assert out.endswith(f"\n\n{ended(execution_id)}")
    assert st2("execution", "tail", execution_id, "--type", "stderr").out == f"oops\n\n{ended(execution_id)}"
    assert st2("execution", "tail", "last", "--type", "stdout").out == f"one\ntwo\n\n{ended(execution_id)}"


def test_one_type_and_metadata(st2: Client, late: Client, gate: Gate, pause: Pause, tmp_path: Path) -> None:
    other = Pause(tmp_path / "other")
    command = f"{pause.command}; echo one; echo oops >&2; {other.command}; echo two; echo 2 >&2"
    execution_id = st2.started("core.local", f"cmd={command}")
    gate.open()
    with late.background("execution", "tail", execution_id, "--type", "stderr", "--include-metadata") as tail:
        assert tail.stdout is not None
        gate.wait_for_an_answer()
        pause.end()
        first = next(line for line in tail.stdout if "started" not in line and line != "\n")
        other.end()
        out, _ = tail.communicate(timeout=TIMEOUT)
    assert re.fullmatch(rf"{STAMP}\[stderr\] oops\n", first)
    assert re.fullmatch(rf"{STAMP}\[stderr\] 2\n\n{re.escape(ended(execution_id))}", out), out


@pytest.mark.parametrize(("exit_code", "end"), [(0, "succeeded"), (1, "failed")])
def test_it_ends_between_the_clients_look_and_its_stream(
    st2: Client, late: Client, gate: Gate, pause: Pause, status: Status, exit_code: int, end: str
) -> None:
    execution_id = st2.started("core.local", f"cmd={pause.command}; exit {exit_code}")
    with late.background("execution", "tail", execution_id) as tail:
        gate.wait_for_a_client()
        pause.end()
        eventually(lambda: status(execution_id) == end)
        gate.open()
        out, _ = tail.communicate(timeout=TIMEOUT)
    assert tail.returncode == 0
    assert out.endswith(f"\n{ended(execution_id, end)}")


def test_it_is_cancelled_before_the_client_streams(st2: Client, late: Client, gate: Gate, status: Status) -> None:
    with late.background("run", "--tail", "core.local", "cmd=sleep 1000") as run:
        gate.wait_for_a_client()
        execution_id = st2("execution", "list", "-n", "1", "-j").json()[0]["id"]
        st2("execution", "cancel", execution_id)
        eventually(lambda: status(execution_id) == "canceled")
        gate.open()
        out, _ = run.communicate(timeout=TIMEOUT)
    assert run.returncode == 0
    assert ended(execution_id, "canceled") in out
