"""From a message in the queue to a final status: what is run, shown, stored and told."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from st2common.models import configs, leases, runner_types
from st2common.output.chunk import Stream
from st2common.transport.topology import EXECUTION, EXECUTION_OUTPUT
from tests.conditions import eventually
from tests.integration.actionrunner.bench import PATIENCE, Bench
from tests.integration.keepers import alive

MIB = 1024 * 1024


def test_an_execution_is_claimed_and_run(bench: Bench) -> None:
    bench.runner()
    execution_id = bench.request("echo out; echo err >&2; exit 3")
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["attempt"]) == ("failed", 1)
    assert ended["result"] == {"failed": True, "succeeded": False, "return_code": 3, "stdout": "out", "stderr": "err"}
    assert ended["result_size"] == len(json.dumps(ended["result"], separators=(",", ":")))
    assert ended["liveaction"]["runner_info"] == {"hostname": os.uname().nodename, "pid": os.getpid()}
    end = bench.end_of_log(execution_id)
    assert (end.status, end.exit_code, end.stdout.lines, end.stderr.lines) == ("failed", 3, 1, 1)
    assert [entry["status"] for entry in ended["log"]] == ["requested", "scheduled", "running", "failed"]
    eventually(lambda: bench.statuses(execution_id) == ["requested", "scheduled", "running", "failed"])
    eventually(lambda: bench.run_directories() == [])


@pytest.mark.parametrize("stream_output", [True, False])
def test_beyond_the_limit_the_action_goes_on_and_its_output_is_cut(
    bench: Bench, tmp_path: Path, stream_output: bool
) -> None:
    bench.runner(stream_output=stream_output, max_output_bytes=10)
    execution_id = bench.request(f"seq 1 2000; touch {tmp_path}/reached; exit 3")
    ended = bench.ended(execution_id)
    mark = "--- More than 10 bytes of output: what follows is not kept. ---"
    assert bench.output(execution_id, Stream.STDOUT).decode() == f"1\n2\n3\n4\n5\n{mark}\n"
    assert ended["result"]["stdout"] == f"1\n2\n3\n4\n5\n{mark}"
    assert (ended["status"], ended["result"]["return_code"], (tmp_path / "reached").exists()) == ("failed", 3, True)
    end = bench.end_of_log(execution_id)
    whole = len("".join(f"{number}\n" for number in range(1, 2001)))
    assert (end.truncated_bytes, end.stdout.bytes, end.stdout.lines) == (whole - 10, 10 + len(mark) + 1, 6)


def test_a_second_delivery_does_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.runner()
    execution_id = bench.request(f"echo once >> {tmp_path}/ran; sleep 0.3")
    for _ in range(3):
        bench.deliver(execution_id)
    bench.ended(execution_id)
    bench.deliver(execution_id)
    assert bench.run("echo after")["status"] == "succeeded"
    assert (tmp_path / "ran").read_text() == "once\n"
    assert bench.stored(execution_id)["attempt"] == 1


def test_two_runners_share_the_work_and_run_each_once(bench: Bench, tmp_path: Path) -> None:
    first, second = bench.runner(), bench.runner()
    assert first is not second
    wanted = [bench.request(f"echo x >> {tmp_path}/ran-{number}") for number in range(12)]
    for execution_id in wanted:
        bench.deliver(execution_id)
    owners = {bench.ended(execution_id)["owner"] for execution_id in wanted}
    assert owners == {f"{os.uname().nodename}/1", f"{os.uname().nodename}/2"}
    assert [path.read_text() for path in tmp_path.glob("ran-*")] == ["x\n"] * 12


def test_a_full_runner_keeps_nothing_from_others(bench: Bench, tmp_path: Path) -> None:
    bench.runner(places=1)
    blocked = bench.request(f"until [ -e {tmp_path}/go ]; do sleep 0.05; done")
    eventually(lambda: bench.stored(blocked)["status"] == "running")
    waiting = [bench.request("true") for _ in range(3)]
    bench.runner()
    for execution_id in waiting:
        assert bench.ended(execution_id)["owner"].endswith("/2")
    (tmp_path / "go").touch()
    assert bench.ended(blocked)["status"] == "succeeded"


def test_a_full_runner_goes_on_when_a_place_is_free(bench: Bench, tmp_path: Path) -> None:
    bench.runner(places=1)
    blocked = bench.request(f"until [ -e {tmp_path}/go ]; do sleep 0.05; done")
    waiting = [bench.request("true") for _ in range(3)]
    queue = bench.transport._queues["st2.actionrunner.work"]
    eventually(lambda: not queue.consumers)
    assert bench.stored(waiting[-1])["status"] == "requested"
    (tmp_path / "go").touch()
    assert [bench.ended(each)["status"] for each in (blocked, *waiting)] == ["succeeded"] * 4


@pytest.mark.parametrize(
    ("cmd", "stdout", "stderr"),
    [
        ("printf 'no newline'", b"no newline", b""),
        ("true", b"", b""),
        ("echo only >&2", b"", b"only\n"),
        (r"printf 'caf\351\n\377\376'", b"caf\xe9\n\xff\xfe", b""),
        (r"printf 'a\0b\n'", b"a\0b\n", b""),
    ],
)
def test_output_arrives_as_it_is(bench: Bench, cmd: str, stdout: bytes, stderr: bytes) -> None:
    bench.runner()
    execution_id = bench.request(cmd)
    ended = bench.ended(execution_id)
    assert bench.output(execution_id) == stdout
    assert bench.output(execution_id, Stream.STDERR) == stderr
    assert ended["result"]["stdout"] == stdout.decode("utf-8", "replace").removesuffix("\n")
    assert ended["result"]["stderr"] == stderr.decode("utf-8", "replace").removesuffix("\n")
    end = bench.end_of_log(execution_id)
    assert (end.stdout.bytes, end.stderr.bytes) == (len(stdout), len(stderr))


@pytest.mark.parametrize("size", [5 * MIB, 17 * MIB])
def test_a_very_long_line_is_whole(bench: Bench, size: int) -> None:
    bench.runner()
    execution_id = bench.request(f"head -c {size} /dev/zero | tr '\\0' x; echo; echo end")
    ended = bench.ended(execution_id)
    assert ended["status"] == "succeeded"
    assert bench.output(execution_id) == b"x" * size + b"\nend\n"
    assert ended["result"]["stdout"] == ""
    assert ended["output_in_log"] == {"stdout": size + 5}
    assert bench.end_of_log(execution_id).stdout.lines == 2


@pytest.mark.parametrize(("size", "inline"), [(64 * 1024, True), (64 * 1024 + 1, False)])
def test_what_a_result_carries(bench: Bench, size: int, inline: bool) -> None:
    bench.runner()
    ended = bench.run(f"head -c {size} /dev/zero | tr '\\0' x")
    assert len(ended["result"]["stdout"]) == (size if inline else 0)
    assert ended.get("output_in_log") == (None if inline else {"stdout": size})


def test_secrets_are_nowhere_in_clear(bench: Bench) -> None:
    bench.runner()
    secret = "open sesame 42"
    encoded = base64.b64encode(secret.encode()).decode()
    cmd = f"echo 'it is {secret}'; printf 'open se'; sleep 0.2; echo 'same 42'; echo {encoded} >&2"
    execution_id = bench.request(cmd, sudo_password=secret)
    ended = bench.ended(execution_id)
    assert bench.output(execution_id) == b"it is ********\n********\n"
    assert bench.output(execution_id, Stream.STDERR) == b"********\n"
    assert bench.end_of_log(execution_id).masked == 3
    assert secret not in str(ended["result"])
    eventually(lambda: bench.statuses(execution_id)[-1:] == [ended["status"]])
    assert secret not in bench.told()
    assert encoded not in bench.told(lambda message: message.exchange == EXECUTION_OUTPUT)
    events = [message for message in bench.events if message.exchange == EXECUTION]
    assert all(message.body["execution"]["parameters"]["sudo_password"] == "********" for message in events)


def test_nothing_shows_before_the_end_where_streaming_is_off(bench: Bench, tmp_path: Path) -> None:
    bench.runner(stream_output=False)
    execution_id = bench.request(
        f"echo first; touch {tmp_path}/printed; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo last"
    )
    eventually(lambda: (tmp_path / "printed").exists(), PATIENCE)
    assert bench.stored(execution_id)["stream_output"] is False
    assert bench.output(execution_id) == b""
    (tmp_path / "go").touch()
    assert bench.ended(execution_id)["result"]["stdout"] == "first\nlast"
    assert bench.output(execution_id) == b"first\nlast\n"


def test_the_time_is_over(bench: Bench) -> None:
    bench.runner()
    execution_id = bench.request("echo begun; sleep 60; echo never", timeout=1)
    ended = bench.ended(execution_id)
    assert (ended["status"], ended["result"]["stdout"]) == ("timeout", "begun")
    assert ended["result"]["error"] == "Action failed to complete in 1 seconds"
    assert bench.end_of_log(execution_id).status == "timeout"


@pytest.mark.parametrize(
    ("action", "changes", "error"),
    [
        ("core.local", {"runner.name": "cloudslang"}, 'There is no runner of type "cloudslang".'),
        ("core.echo", {"action.entry_point": "gone.sh"}, "does not exist or is not a file"),
        ("core.echo", {"action.entry_point": "../../gone.sh"}, "lies outside the pack directory"),
        ("core.local", {"parameters.cwd": "/no/such/place"}, '"/no/such/place" does not exist'),
        ("core.local", {"parameters.timeout": -1}, "must be more than 0 seconds"),
        ("core.local", {"action.pack": "gone", "parameters.cmd": ""}, "there is no command to run"),
    ],
)
def test_what_cannot_be_run_fails_with_its_reason(
    bench: Bench, action: str, changes: dict[str, Any], error: str
) -> None:
    execution_id = bench.request("x") if action == "core.local" else bench.request("", action, message="x")
    bench.executions.collection.update_one({"_id": bench.stored(execution_id)["_id"]}, {"$set": changes})
    bench.runner()
    ended = bench.ended(execution_id)
    assert ended["status"] == "failed"
    assert error in ended["result"]["error"]
    assert ended["result_size"] > 0
    end = bench.end_of_log(execution_id)
    assert (end.status, end.exit_code, end.seq) == ("failed", None, 1)
    eventually(lambda: bench.statuses(execution_id)[1:] == ["scheduled", "running", "failed"])
    eventually(lambda: bench.run_directories() == [])


def test_a_runner_type_that_is_disabled(bench: Bench) -> None:
    bench.runner()
    runner_types.set_enabled("local-shell-cmd", False)
    ended = bench.run("true")
    assert ended["status"] == "failed"
    assert ended["result"]["error"] == 'The runner type "local-shell-cmd" is disabled.'


def test_a_child_that_cannot_be_spawned(bench: Bench, tmp_path: Path) -> None:
    bench.runner()
    ended = bench.run("x" * 200_000)
    assert ended["status"] == "failed"
    assert "Argument list too long" in ended["result"]["error"]
    assert bench.end_of_log(str(ended["_id"])).status == "failed"


def test_templates_see_the_configuration_of_the_pack(bench: Bench) -> None:
    configs.save("core", {"greeting": "hello"})
    execution_id = bench.request("true")
    schema = {"type": "string", "default": "echo {{ config_context.greeting }}"}
    bench.executions.collection.update_one(
        {"_id": bench.stored(execution_id)["_id"]},
        {"$set": {"action.parameters.cmd": schema}, "$unset": {"parameters.cmd": 1}},
    )
    bench.runner()
    assert bench.ended(execution_id)["result"]["stdout"] == "hello"


def test_a_message_of_nothing_is_dropped(bench: Bench) -> None:
    bench.runner()
    bench.deliver("no id")
    bench.deliver("5f0c0ffee0c0ffee0c0ffee0")
    assert bench.run("true")["status"] == "succeeded"
    assert bench.keepers()
    assert all(alive(pid) for pid in bench.keepers())


def test_a_runner_tells_that_it_is_alive_until_it_stops(bench: Bench) -> None:
    runner = bench.runner()
    eventually(lambda: leases.holders(bench.database, leases.RUNNERS) == [f"{os.uname().nodename}/1"])
    bench.stop(runner)
    assert leases.holders(bench.database, leases.RUNNERS) == []
