"""``st2 run`` and ``st2 execution`` of the official client."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conditions import eventually
from tests.official.client import Client
from tests.official.conftest import Status

UNKNOWN = "0123456789abcdef01234567"


def test_run_waits_and_prints(st2: Client) -> None:
    done = st2("run", "core.local", "cmd=echo hello; echo oops >&2; exit 0")
    shown = done.out.splitlines()
    assert "action.ref: core.local" in shown
    assert "status: succeeded" in shown
    assert "  stdout: hello" in shown
    assert "  stderr: oops" in shown


def test_output_that_is_json_is_a_value(st2: Client) -> None:
    ran = st2.ran("core.local", """cmd=echo '{"a": [1]}'; echo 7 >&2""")
    assert (ran["result"]["stdout"], ran["result"]["stderr"]) == ({"a": [1]}, 7)


def test_only_failed_is_an_exit_code(st2: Client) -> None:
    failed = st2.ran("core.local", "cmd=exit 3", code=1)
    assert (failed["status"], failed["result"]["return_code"]) == ("failed", 3)
    late = st2.ran("core.local", "cmd=echo before; sleep 60", "timeout=1")
    assert (late["status"], late["result"]["return_code"]) == ("timeout", -9)
    assert late["result"]["error"] == "Action failed to complete in 1 seconds"
    assert late["result"]["stdout"] == "before"


def test_run_of_something_wrong(st2: Client) -> None:
    assert 'Resource with id or reference "no.such" doesn\'t exist.' in st2("run", "no.such", code=1).out
    missing = st2("run", "core.local", code=1).out
    assert missing.startswith("ERROR: 400 Client Error: Bad Request\nMESSAGE: ")
    assert "'cmd' is a required property" in missing
    extra = st2("run", "core.local", "cmd=x", "zz=1", code=1).out
    assert "Additional properties are not allowed ('zz' was unexpected)" in extra


def test_values_are_cast_by_the_parameters_types(st2: Client, tmp_path: Path) -> None:
    ran = st2.ran("core.local", "echo", "two words")
    assert (ran["parameters"], ran["result"]["stdout"]) == ({"cmd": "echo two words"}, "two words")
    ran = st2.ran("core.local", "cmd=echo $A$B", "env=A=1,B=2", "timeout=50")
    assert ran["parameters"] == {"cmd": "echo $A$B", "env": {"A": "1", "B": "2"}, "timeout": 50}
    assert ran["result"]["stdout"] == 12
    (tmp_path / "text").write_text("from a file")
    assert st2.ran("core.echo", f"@message={tmp_path}/text")["result"]["stdout"] == "from a file"
    inherited = st2.having(ST2_COLOR="blue").ran("-e", "core.local", "cmd=echo $ST2_COLOR")
    assert inherited["result"]["stdout"] == "blue"


def test_asynchronous_run_get_and_list(st2: Client, status: Status) -> None:
    done = st2("run", "-a", "core.local", "cmd=echo it")
    [execution_id] = re.findall("^ st2 execution get ([0-9a-f]{24})$", done.out, flags=re.MULTILINE)
    assert f" st2 execution tail {execution_id}" in done.out
    eventually(lambda: status(execution_id) == "succeeded")
    shown = st2.execution("last")
    assert (shown["id"], shown["result"]["stdout"]) == (execution_id, "it")
    assert [entry["status"] for entry in shown["log"]] == ["requested", "scheduled", "running", "succeeded"]
    assert "result: None" in st2("execution", "get", "-x", execution_id).out
    listed = st2("execution", "list", "-n", "2")
    assert execution_id in listed.out.splitlines()[-2]
    assert "Only first 2 action executions are displayed" in listed.err
    [newest] = st2("execution", "list", "-n", "1", "-j").json()
    assert newest["id"] == execution_id
    assert set(newest) == {"id", "action", "context", "status", "start_timestamp", "end_timestamp"}
    [alike] = st2("execution", "list", "--status", "succeeded", "--action", "core.local", "-n", "1", "-j").json()
    assert alike["id"] == execution_id


def test_cancel(st2: Client, status: Status) -> None:
    execution_id = st2.started("core.local", "cmd=sleep 1000", "timeout=2000")
    eventually(lambda: status(execution_id) == "running")
    assert st2("execution", "cancel", execution_id).out == f"action execution with id {execution_id} canceled.\n"
    eventually(lambda: status(execution_id) == "canceled")
    assert st2.execution(execution_id)["result"]["message"] == "Action canceled by user."
    # Once more: it is what was asked for.
    assert st2("execution", "cancel", execution_id).out == f"action execution with id {execution_id} canceled.\n"


def test_what_cannot_be_cancelled_or_paused(st2: Client, status: Status) -> None:
    execution_id = st2.ran("core.local", "cmd=true")["id"]
    assert st2("execution", "cancel", execution_id).out == "Action cannot be canceled. State = succeeded.\n"
    assert "Unable to identify resource" in st2("execution", "cancel", UNKNOWN).out
    assert "Execution is already in completed state." in st2("execution", "pause", execution_id, code=1).out
    running = st2.started("core.local", "cmd=sleep 1000")
    eventually(lambda: status(running) == "running")
    assert "ERROR: 400 Client Error: Bad Request" in st2("execution", "pause", running, code=1).out
    assert "ERROR: 400 Client Error: Bad Request" in st2("execution", "resume", running, code=1).out
    st2("execution", "cancel", running)


def test_rerun(st2: Client) -> None:
    first = st2.ran("core.local", "cmd=echo one", "timeout=50")
    again = st2("execution", "re-run", "--tail", "-j", first["id"], "cmd=echo two").json()
    assert again["id"] != first["id"]
    assert again["parameters"] == {"cmd": "echo two", "timeout": 50}
    assert again["result"]["stdout"] == "two"
    st2("execution", "re-run", "--tail", first["id"], "cmd=exit 1", code=1)


def test_unknown_executions(st2: Client) -> None:
    got = st2("execution", "get", UNKNOWN, code=1).out
    assert got.startswith(f'Action Execution "{UNKNOWN}" is not found.')
    assert "not found" in st2("execution", "tail", UNKNOWN, code=1).out


def test_usage(st2: Client) -> None:
    st2(code=2)
    st2("no-such-word", code=2)
    assert "[general]" in st2("--print-config", code=3).out
