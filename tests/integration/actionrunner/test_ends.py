"""Ends that somebody or something brings about: cancels, other attempts, keepers and runners that die."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from st2actionrunner import leases
from st2actionrunner.active_runs import ActiveRuns
from st2common.clock import now_us
from st2common.errors import TransportError
from st2common.logging.formatters import JsonLogFormatter
from st2common.models import actions
from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.cancellation import NotCancelable
from st2common.transport.port import Body
from tests.conditions import eventually
from tests.integration.actionrunner.bench import PATIENCE, Bench
from tests.integration.keepers import alive, all_gone


def pid_of(bench: Bench, execution_id: str) -> int:
    """Of a child that prints its pid first."""
    return int(eventually(lambda: bench.output(execution_id).split(b"\n")[0], PATIENCE))


def test_canceled_before_anybody_claims_it(bench: Bench, tmp_path: Path) -> None:
    execution_id = bench.request(f"touch {tmp_path}/ran")
    bench.cancel(execution_id)
    bench.runner()
    assert bench.run("true")["status"] == "succeeded"
    assert bench.stored(execution_id)["status"] == "canceled"
    assert not (tmp_path / "ran").exists()


def test_canceled_while_it_runs(bench: Bench) -> None:
    bench.runner()
    execution_id = bench.request("echo $$; sleep 600 & sleep 600")
    pid = pid_of(bench, execution_id)
    bench.cancel(execution_id)
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["result"]["user"]) == ("canceled", "somebody")
    assert [entry["status"] for entry in ended["log"]][-2:] == ["canceling", "canceled"]
    assert bench.end_of_log(execution_id).status == "canceled"
    assert not alive(pid)


def test_canceled_in_the_moment_of_the_claim(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the claim is stored, and before the runner has its answer."""
    claim = Executions.claim

    def claim_and_cancel(self, execution_id, *args):  # type: ignore[no-untyped-def]
        stored = claim(self, execution_id, *args)
        bench.cancel(execution_id)
        eventually(lambda: any(m.routing_key.startswith("update.") for m in bench.events))
        return stored

    monkeypatch.setattr(Executions, "claim", claim_and_cancel)
    # Only the notice counts here.
    monkeypatch.setattr(leases, "RENEW_INTERVAL", 1000.0)
    bench.runner()
    execution_id = bench.request("sleep 600")
    assert bench.ended(execution_id)["status"] == "canceled"


@pytest.mark.parametrize("seized", [True, False])
def test_a_lease_that_ran_out_between_the_claim_and_the_start(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seized: bool
) -> None:
    """A runner that stood still meanwhile begins what is still its own, and nothing else."""
    claim = Executions.claim

    def claim_and_stand_still(self, execution_id, owner, lease_until, about):  # type: ignore[no-untyped-def]
        stored = claim(self, execution_id, owner, now_us() - 1, about)
        if seized:
            assert self.seize(stored, "somebody", lease_until)
        return stored

    monkeypatch.setattr(Executions, "claim", claim_and_stand_still)
    # Only the look before the start counts here.
    monkeypatch.setattr(leases, "RENEW_INTERVAL", 1000.0)
    runner = bench.runner()
    execution_id = bench.request(f"touch {tmp_path}/ran")
    if seized:
        eventually(lambda: "belongs to another attempt" in caplog.text, PATIENCE)
        bench.stop(runner)
        assert bench.stored(execution_id)["owner"] == "somebody"
        assert not [event for event in bench.events if event.routing_key.startswith("update.")]
    else:
        ended = bench.ended(execution_id)
        assert ended["status"] == "succeeded"
        assert ended["lease_until"] > now_us()
    assert (tmp_path / "ran").exists() is not seized


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.006, 0.01, 0.015, 0.02])
def test_a_cancel_that_races_with_the_end(bench: Bench, delay: float) -> None:
    bench.runner()
    execution_id = bench.request(f"sleep {delay}; echo done")
    eventually(lambda: bench.stored(execution_id)["status"] != "requested")
    with contextlib.suppress(NotCancelable):
        bench.cancel(execution_id)
    ended = bench.ended(execution_id)
    assert ended["status"] in ("canceled", "succeeded")
    assert bench.end_of_log(execution_id).status == ended["status"]
    assert ("message" in ended["result"]) is (ended["status"] == "canceled")


def test_a_cancel_after_the_end_of_the_log_comes_too_late(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = MongoOutputLog.finish

    def finish_and_cancel(log: MongoOutputLog, end: End, chunks: Sequence[Chunk] = ()) -> End:
        stored = finish(log, end, chunks)
        bench.cancel(end.execution_id)
        return stored

    monkeypatch.setattr(MongoOutputLog, "finish", finish_and_cancel)
    bench.runner()
    execution_id = bench.request("echo done")
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["result"]["stdout"]) == ("succeeded", "done")
    assert bench.end_of_log(execution_id).status == "succeeded"
    assert ended["cancel"]


def test_a_cancel_whose_notice_was_lost_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_INTERVAL", 0.1)
    bench.runner()
    execution_id = bench.request("echo $$; sleep 600")
    pid_of(bench, execution_id)
    assert bench.executions.change(execution_id, Status.CANCELING, fields={"cancel": {"user": "x"}})
    assert bench.ended(execution_id)["status"] == "canceled"


def test_leases_are_renewed(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_INTERVAL", 0.1)
    bench.runner()
    execution_id = bench.request(f"until [ -e {tmp_path}/go ]; do sleep 0.05; done")
    first = int(eventually(lambda: bench.stored(execution_id).get("lease_until") or 0))
    assert first > now_us() + 30_000_000
    eventually(lambda: bench.stored(execution_id)["lease_until"] > first)
    (tmp_path / "go").touch()
    bench.ended(execution_id)


def test_another_attempt_ends_ours(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent or not: the child is ended, and what it prints late is refused."""
    monkeypatch.setattr(leases, "RENEW_INTERVAL", 0.1)
    bench.runner()
    silent = bench.request("echo $$; trap 'echo late; exit' TERM; while :; do sleep 0.05; done")
    pid = pid_of(bench, silent)
    # A renewal may come between the look and the change.
    eventually(lambda: bench.executions.seize(bench.stored(silent), "another", now_us() + 60_000_000))
    bench.log.take_over(silent, 2)
    eventually(lambda: not alive(pid), PATIENCE)
    eventually(lambda: bench.run_directories() == [], PATIENCE)
    assert b"late" not in bench.output(silent)
    after = bench.stored(silent)
    assert (after["status"], after["owner"], after["attempt"]) == ("running", "another", 2)
    assert bench.log.end(silent) is None


def test_a_fenced_write_ends_the_child(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_INTERVAL", 1000.0)
    bench.runner()
    execution_id = bench.request("echo $$; while :; do echo line; sleep 0.02; done")
    pid = pid_of(bench, execution_id)
    bench.log.take_over(execution_id, 2)
    eventually(lambda: not alive(pid), PATIENCE)
    eventually(lambda: bench.run_directories() == [], PATIENCE)
    assert bench.stored(execution_id)["status"] == "running"


def test_what_a_run_logs_names_its_execution(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_INTERVAL", 1000.0)
    handler = logging.StreamHandler(logged := io.StringIO())
    handler.setFormatter(JsonLogFormatter())
    logger = logging.getLogger("st2actionrunner.active_run")
    logger.addHandler(handler)
    try:
        bench.runner()
        execution_id = bench.request("while :; do echo line; sleep 0.02; done")
        bench.wait_for_output(execution_id, b"line\n")
        bench.log.take_over(execution_id, 2)
        eventually(lambda: bench.run_directories() == [], PATIENCE)
    finally:
        logger.removeHandler(handler)
    (record,) = map(json.loads, logged.getvalue().splitlines())
    assert record["execution_id"] == execution_id


def test_a_keeper_that_is_killed(bench: Bench) -> None:
    bench.runner()
    lost = [bench.request("echo $$; echo begun; sleep 600") for _ in range(2)]
    pids = [pid_of(bench, execution_id) for execution_id in lost]
    for execution_id in lost:
        bench.wait_for_output(execution_id, b"begun\n")
    [keeper] = bench.keepers()
    os.kill(keeper, signal.SIGKILL)
    for execution_id, pid in zip(lost, pids, strict=True):
        ended = bench.ended(execution_id)
        assert ended["status"] == "abandoned"
        assert "nobody knows how the action ended" in ended["result"]["error"]
        assert ended["result"]["stdout"] == f"{pid}\nbegun"
        assert bench.end_of_log(execution_id).status == "abandoned"
    eventually(lambda: all_gone(pids), PATIENCE)
    assert bench.run("echo well again")["result"]["stdout"] == "well again"
    eventually(lambda: bench.run_directories() == [])
    assert bench.keepers() != [keeper]


def test_a_repeatable_action_runs_again_when_its_keeper_is_killed(bench: Bench, tmp_path: Path) -> None:
    bench.runner()
    tags = [{"name": "repeatable", "value": True}]
    bench.database["action_d_b"].update_one({"ref": "core.local"}, {"$set": {"tags": tags}})
    eventually(lambda: (actions.recent("core.local") or {})["tags"] == tags)
    execution_id = bench.request(
        f"echo run >> {tmp_path}/runs; echo begun; until [ -e {tmp_path}/go ]; do sleep 0.05; done"
    )
    bench.wait_for_output(execution_id, b"begun\n")
    [keeper] = bench.keepers()
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: bench.stored(execution_id)["status"] == "requested", PATIENCE)

    def taken() -> bool:
        bench.deliver(
            execution_id
        )  # as the sweeper does, again and again: the runner may not be done with the first run
        return bool(bench.stored(execution_id)["status"] != "requested")

    eventually(taken, PATIENCE)
    (tmp_path / "go").touch()
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["attempt"], ended["result"]["stdout"]) == ("succeeded", 2, "begun")
    assert (tmp_path / "runs").read_text() == "run\nrun\n"
    assert bench.output(execution_id) == b"begun\nbegun\n"
    assert b"The action is run again: run 2 of at most 3." in bench.output(execution_id, Stream.STDERR)


def test_executions_wait_while_the_keeper_is_replaced(bench: Bench) -> None:
    runner = bench.runner()
    bench.run("true")
    [keeper] = bench.keepers()
    os.kill(keeper, signal.SIGKILL)
    requested = [bench.request(f"echo {number}") for number in range(5)]
    for number, execution_id in enumerate(requested):
        ended = bench.ended(execution_id)
        # One that the dying keeper was told of may be lost, but is never forgotten.
        assert (ended["status"], ended["result"]["stdout"]) in [("succeeded", number), ("abandoned", "")]
    eventually(lambda: runner.health() is None)


# Restarts of the runner.


def test_a_restarted_runner_goes_on(bench: Bench, tmp_path: Path) -> None:
    before = bench.runner()
    execution_id = bench.request(
        f"i=0; until [ -e {tmp_path}/go ]; do i=$((i+1)); echo line $i; echo err $i >&2; sleep 0.005; done; exit 7"
    )
    for number in (20, 60):
        bench.wait_for_output(execution_id, b"line %d\n" % number)
        bench.stop(before)
        assert bench.stored(execution_id)["lease_until"] > now_us() + 300_000_000
        before = bench.runner()
    bench.wait_for_output(execution_id, b"line 100\n")
    (tmp_path / "go").touch()
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["attempt"], ended["result"]["return_code"]) == ("failed", 1, 7)
    lines = bench.output(execution_id).decode().splitlines()
    assert lines == [f"line {number + 1}" for number in range(len(lines))]
    errors = bench.output(execution_id, Stream.STDERR).decode().splitlines()
    assert errors == [f"err {number + 1}" for number in range(len(lines))]
    assert ended["result"]["stdout"] == "\n".join(lines)
    eventually(lambda: bench.run_directories() == [])


@pytest.mark.parametrize("stream_output", [True, False])
def test_what_ends_without_a_runner_is_told_by_the_next(bench: Bench, tmp_path: Path, stream_output: bool) -> None:
    runner = bench.runner(stream_output=stream_output)
    execution_id = bench.request(
        f"echo $$ > {tmp_path}/pid; echo one; until [ -e {tmp_path}/go ]; do :; done; echo two"
    )
    pid = int(eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), PATIENCE))
    bench.stop(runner)
    (tmp_path / "go").touch()
    eventually(lambda: not alive(pid), PATIENCE)
    bench.runner(stream_output=stream_output)
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["result"]["stdout"]) == ("succeeded", "one\ntwo")


@pytest.mark.parametrize("stream_output", [True, False])
def test_a_silent_child_is_followed_after_a_restart(bench: Bench, tmp_path: Path, stream_output: bool) -> None:
    runner = bench.runner(stream_output=stream_output)
    execution_id = bench.request(f"touch {tmp_path}/up; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo two")
    eventually(lambda: (tmp_path / "up").exists(), PATIENCE)
    bench.stop(runner)
    bench.runner(stream_output=stream_output)
    (tmp_path / "go").touch()
    assert bench.ended(execution_id)["result"]["stdout"] == "two"


def test_canceled_without_a_runner(bench: Bench) -> None:
    runner = bench.runner()
    execution_id = bench.request("echo $$; sleep 600")
    pid = pid_of(bench, execution_id)
    bench.stop(runner)
    bench.cancel(execution_id)
    assert bench.stored(execution_id)["status"] == "canceling"
    bench.runner()
    assert bench.ended(execution_id)["status"] == "canceled"
    assert not alive(pid)


def test_stopping_loses_nothing_that_waits(bench: Bench, tmp_path: Path) -> None:
    runner = bench.runner(places=1)
    first = bench.request(f"until [ -e {tmp_path}/go ]; do sleep 0.05; done")
    eventually(lambda: bench.stored(first)["status"] == "running")
    waiting = [bench.request("true") for _ in range(5)]
    bench.stop(runner)
    assert {bench.stored(execution_id)["status"] for execution_id in waiting} == {"requested"}
    (tmp_path / "go").touch()
    bench.runner()
    assert [bench.ended(execution_id)["status"] for execution_id in (first, *waiting)] == ["succeeded"] * 6


def claimed_by_a_crash(bench: Bench, cmd: str) -> str:
    """An execution that a runner in the first place has claimed, and not begun."""
    execution_id = bench.request(cmd)
    about = {"liveaction.runner_info": {"hostname": "here", "pid": 1}, "stream_output": True}
    assert bench.executions.claim(execution_id, f"{os.uname().nodename}/1", now_us() + 45_000_000, about)
    return execution_id


def test_a_runner_that_is_drained_takes_no_new_work(bench: Bench, tmp_path: Path) -> None:
    runner = bench.runner()
    running = bench.request(f"until [ -e {tmp_path}/go ]; do sleep 0.05; done")
    eventually(lambda: bench.stored(running)["status"] == "running")
    runner.drain()
    runner.drain()
    assert runner.health() is None
    waiting = bench.request("echo later")
    (tmp_path / "go").touch()
    assert bench.ended(running)["status"] == "succeeded"
    assert bench.stored(waiting)["status"] == "requested"
    bench.runner()
    assert bench.ended(waiting)["result"]["stdout"] == "later"


def test_what_was_claimed_and_not_started_starts_again(bench: Bench) -> None:
    execution_id = claimed_by_a_crash(bench, "echo now")
    bench.log.take_over(execution_id, 1)
    bench.runner()
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["attempt"], ended["result"]["stdout"]) == ("succeeded", 2, "now")
    assert bench.output(execution_id) == b"now\n"
    statuses = [entry["status"] for entry in ended["log"]]
    assert statuses == ["requested", *["scheduled", "running"], "requested", *["scheduled", "running"], "succeeded"]


def test_a_broker_that_is_away_does_not_stop_the_recovery(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    execution_id = claimed_by_a_crash(bench, "echo now")

    def away(exchange: str, routing_key: str, body: Body) -> None:
        raise TransportError("the broker is away")

    with monkeypatch.context() as patch:
        patch.setattr(bench.transport, "publish", away)
        bench.runner()
    # A message of its first claim may be there still.
    assert bench.stored(execution_id)["status"] in ("requested", "running", "succeeded")
    bench.deliver(execution_id)  # as the sweeper does
    assert bench.ended(execution_id)["attempt"] == 2


def test_what_was_claimed_and_canceled_ends(bench: Bench, tmp_path: Path) -> None:
    execution_id = claimed_by_a_crash(bench, f"touch {tmp_path}/ran")
    bench.cancel(execution_id)
    bench.runner()
    assert bench.ended(execution_id)["status"] == "canceled"
    assert bench.end_of_log(execution_id).status == "canceled"
    assert not (tmp_path / "ran").exists()


def test_a_run_that_is_not_ours_any_more_is_ended(bench: Bench) -> None:
    runner = bench.runner()
    execution_id = bench.request("echo $$; sleep 600")
    pid = pid_of(bench, execution_id)
    bench.stop(runner)
    assert bench.executions.seize(bench.stored(execution_id), "another", now_us() + 60_000_000)
    bench.runner()
    eventually(lambda: not alive(pid), PATIENCE)
    eventually(lambda: bench.run_directories() == [])
    assert bench.stored(execution_id)["owner"] == "another"


def test_a_directory_that_is_no_run_is_removed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "runner" / "1" / "runs" / "lost+found").mkdir(parents=True)
    bench.runner()
    eventually(lambda: bench.run_directories() == [])


def test_the_same_execution_is_claimed_by_one_thread_at_a_time() -> None:
    runs = ActiveRuns()
    assert runs.begin_claim("a")
    assert not runs.begin_claim("a")
    runs.end_claim("a", None)
    assert runs.begin_claim("a")
