"""The units on a machine that systemd runs: installed by the commands that the documentation gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conditions import eventually
from tests.deployment.machine import Machine, documented_installation

UNITS = (
    "st2actionrunner@1",
    "st2api",
    "st2auth",
    "st2garbagecollector",
    "st2rulesengine",
    "st2sensorcontainer",
    "st2stream",
)
LINES = 40
FINAL = ("succeeded", "failed", "timeout", "abandoned", "canceled")

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    machine = Machine.of_environment()
    machine.upload("/usr/src/st2")
    machine.say("/usr/src/st2/tests/deployment/stand_ins/machine/prepare")
    machine.say("cd /usr/src/st2\n" + documented_installation(), answers="lovelace\nlovelace")
    yield machine
    machine.run("systemctl disable --now st2.target")


@pytest.fixture
def token(machine: Machine) -> str:
    return machine.say("st2 auth ada -p lovelace -t")


def running(machine: Machine) -> dict[str, int]:
    """{unit: its main process} of those that are up and ready."""
    shown = machine.run(f"systemctl show -p Id,ActiveState,SubState,MainPID {' '.join(UNITS)}").stdout
    units = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.split("\n\n") if block.strip()]
    return {
        unit["Id"].removesuffix(".service"): int(unit["MainPID"])
        for unit in units
        if (unit["ActiveState"], unit["SubState"]) == ("active", "running")
    }


def all_run(machine: Machine) -> dict[str, int]:
    """The same, once all of them do."""

    def all_of_them() -> dict[str, int] | None:
        found = running(machine)
        return found if set(found) == set(UNITS) else None

    return eventually(all_of_them, timeout=60) or {}


def st2(machine: Machine, token: str, command: str) -> str:
    return machine.say(f"export ST2_AUTH_TOKEN={token}\n{command}")


def start_lines(machine: Machine, token: str, count: int = LINES) -> str:
    """The id of an execution that has printed its first lines and goes on for some seconds."""
    command = f"for i in $(seq {count}); do echo line $i; sleep 0.2; done"
    started = str(json.loads(st2(machine, token, f"st2 run -a -j core.local cmd='{command}'"))["id"])
    seen = st2(machine, token, f"st2 execution tail {started} | head -n 3")
    assert seen.splitlines()[-1].endswith("line 3"), seen
    return started


def ended(machine: Machine, token: str, execution: str) -> dict[str, Any]:
    def document() -> dict[str, Any] | None:
        got: dict[str, Any] = json.loads(st2(machine, token, f"st2 execution get -j {execution}"))
        return (
            got if str(got["status"]).startswith(("succeeded", "failed", "timeout", "abandoned", "canceled")) else None
        )

    return eventually(document, timeout=90) or {}


def assert_complete(execution: dict[str, Any], count: int = LINES) -> None:
    assert execution["status"].startswith("succeeded")
    assert execution["result"]["stdout"].split("\n") == [f"line {number}" for number in range(1, count + 1)]


def test_the_documented_commands_start_everything(machine: Machine) -> None:
    all_run(machine)
    assert machine.say("st2ctl status --check").count("healthy") == len(UNITS)
    assert machine.say("systemctl --failed --no-legend") == ""
    assert set(machine.say("systemctl is-enabled st2.target").split()) == {"enabled"}


def test_an_action_is_run_as_the_user_of_actions(machine: Machine, token: str) -> None:
    ran = json.loads(st2(machine, token, "st2 run -j core.local cmd='id -un; echo to-stderr >&2'"))
    assert (ran["result"]["stdout"], ran["result"]["stderr"]) == ("stanley", "to-stderr")


def test_the_journal_has_what_daemons_log(machine: Machine, token: str) -> None:
    execution = json.loads(st2(machine, token, "st2 run -j core.local cmd=true"))["id"]
    for unit in UNITS:
        assert f"{unit.partition('@')[0]} is ready (pid " in machine.say(f"journalctl -o cat -u {unit}")
    [audited] = [
        line
        for line in machine.say("journalctl -o cat -u st2api").splitlines()
        if execution in line and " AUDIT " in line
    ]
    assert '"user": "ada"' in audited


# Without the option, systemd would kill the keeper and the action as well.
KILL_RUNNER = "systemctl kill --kill-whom=main -s KILL st2actionrunner@1"


@pytest.mark.parametrize("how", ["systemctl restart st2actionrunner", KILL_RUNNER])
def test_a_running_action_outlives_its_runner(machine: Machine, token: str, how: str) -> None:
    before = all_run(machine)
    execution = start_lines(machine, token)
    machine.say(how)
    assert_complete(ended(machine, token, execution))
    assert all_run(machine)["st2actionrunner@1"] != before["st2actionrunner@1"]


@pytest.mark.parametrize("unit", ["st2rulesengine", "st2api", "st2actionrunner@1"])
def test_a_daemon_that_hangs_is_started_again(machine: Machine, token: str, unit: str) -> None:
    before = all_run(machine)
    drop_in = f"/run/systemd/system/{unit}.service.d"
    # Seconds instead of two minutes; a property of the unit that is read at its start.
    machine.say(f"mkdir -p {drop_in}; printf '[Service]\\nWatchdogSec=8\\n' > {drop_in}/watchdog.conf")
    try:
        machine.say(f"systemctl daemon-reload; systemctl restart {unit}")
        hanging = all_run(machine)[unit]
        # All of its processes, the worker of an HTTP daemon too; not what runs under the keeper.
        machine.say(f"kill -STOP {hanging} $(pgrep -P {hanging} -f /st2api || true)")
        eventually(lambda: running(machine).get(unit, hanging) != hanging, timeout=90)
        assert "watchdog" in machine.say(f"journalctl -o cat -u {unit}").lower()
    finally:
        machine.say(f"rm -r {drop_in}; systemctl daemon-reload; systemctl restart {unit}")
    after = all_run(machine)
    assert {name for name in UNITS if after[name] != before[name]} == {unit}
    assert "succeeded" in st2(machine, token, "st2 run core.local cmd=true")


def test_a_wrong_configuration_is_said_and_not_tried_again(machine: Machine) -> None:
    unit = "st2garbagecollector"
    machine.say(f"echo ST2_GARBAGECOLLECTOR__SLEEP_DELAY=soon > /etc/default/{unit}")
    try:
        assert machine.run(f"systemctl restart {unit}").returncode != 0
        facts = machine.say(f"systemctl show -p ActiveState,ExecMainStatus,NRestarts {unit}").splitlines()
        assert set(facts) == {"ActiveState=failed", "ExecMainStatus=2", "NRestarts=0"}
        assert "[garbagecollector] sleep_delay must be of" in machine.say(f"journalctl -o cat -u {unit} -n 20")
        refused = machine.run("st2ctl start")
        assert refused.returncode == 1
        assert refused.stderr.endswith(f"What the daemons say: journalctl -n 20 -u {unit}.service\n")
        assert machine.run("st2ctl status --check").returncode == 3
        assert f"problem  daemons: {unit} is not running" in machine.run("st2ctl doctor").stdout
    finally:
        machine.say(f"rm /etc/default/{unit}; systemctl restart {unit}")
    all_run(machine)


def test_st2ctl_goes_by_systemd(machine: Machine) -> None:
    before = all_run(machine)

    stopped = machine.run("st2ctl stop; st2ctl status --check")
    assert stopped.returncode == 3
    assert stopped.stdout.count("is not running.") == len(UNITS)
    assert running(machine) == {}

    shown = machine.say("st2ctl start")
    assert shown.count("healthy") == len(UNITS)
    started = all_run(machine)
    assert not set(started.values()) & set(before.values())

    machine.say("st2ctl restart-component st2api")
    again = all_run(machine)
    assert {unit for unit in UNITS if again[unit] != started[unit]} == {"st2api"}

    machine.say("st2ctl restart")
    assert not set(all_run(machine).values()) & set(again.values())

    machine.say("st2ctl stop")
    # systemd's own verbs and st2ctl's mean the same processes.
    machine.say("systemctl start st2.target")
    all_run(machine)
    assert machine.say("st2ctl status --check").count("healthy") == len(UNITS)


def test_st2ctl_stop_leaves_a_running_action_that_the_next_start_takes_up(machine: Machine, token: str) -> None:
    execution = start_lines(machine, token)
    assert execution in machine.say("ST2_ACTIONRUNNER__EXIT_TIMEOUT=1 st2ctl stop")
    machine.say("st2ctl start")
    assert_complete(ended(machine, token, execution))


def test_an_upgrade_under_a_running_action(machine: Machine, token: str) -> None:
    """By the same release: there is no other yet."""
    count = 150
    execution = start_lines(machine, token, count)
    assert execution in machine.say("ST2_ACTIONRUNNER__EXIT_TIMEOUT=1 st2ctl stop")
    machine.say("/opt/stackstorm/st2/bin/pip install -q --force-reinstall --no-deps /usr/src/st2")
    assert machine.say("st2-db migrate; st2-db check").endswith("All indexes are there.")
    machine.say("st2ctl start")
    assert_complete(ended(machine, token, execution), count)


def test_one_component_that_is_disabled_is_left_out(machine: Machine) -> None:
    machine.say("st2ctl stop; systemctl disable st2sensorcontainer")
    try:
        assert "st2sensorcontainer" not in machine.say("st2ctl start")
        assert set(running(machine)) == set(UNITS) - {"st2sensorcontainer"}
    finally:
        machine.say("systemctl enable --now st2sensorcontainer")


def test_more_runners_and_fewer(machine: Machine, token: str) -> None:
    machine.say("echo WORKERS=3 > /etc/default/st2actionrunner; st2ctl restart-component st2actionrunner")
    assert machine.say("st2ctl status --check").count("st2actionrunner PID") == 3
    assert "succeeded" in st2(machine, token, "st2 run core.local cmd=true")
    machine.say("rm /etc/default/st2actionrunner; st2ctl stop; st2ctl start")
    assert machine.say("st2ctl status --check").count("st2actionrunner PID") == 1


PACK = """
mkdir -p /opt/stackstorm/packs/mine/actions
cat > /opt/stackstorm/packs/mine/pack.yaml <<'END'
{name: mine, description: Ours, version: 1.0.0, author: me, email: me@example.com}
END
cat > /opt/stackstorm/packs/mine/actions/greet.yaml <<'END'
{name: greet, runner_type: local-shell-cmd, parameters: {cmd: {default: echo hello}}}
END
"""


def test_content_is_registered_again(machine: Machine, token: str) -> None:
    machine.say(PACK)
    machine.say("st2ctl reload")
    assert "hello" in st2(machine, token, "st2 run mine.greet")


def test_doctor_finds_nothing_that_keeps_the_platform_from_working(machine: Machine) -> None:
    examined = machine.run("st2ctl doctor -j")
    assert examined.returncode == 0, examined.stdout
    assert {finding["state"] for finding in json.loads(examined.stdout)} <= {"ok", "warning"}


LOG = "/var/log/st2/st2api.log"
LOGGING = f"""
cat > /etc/st2/logging.api.conf <<'END'
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = console
[logger_root]
level = INFO
handlers = file
[handler_file]
class = st2common.log.FormatNamedFileHandler
formatter = console
args = ("{LOG}",)
[formatter_console]
class = st2common.logging.formatters.ConsoleLogFormatter
END
st2ctl restart-component st2api
"""


def test_a_log_file_is_opened_again_after_rotation(machine: Machine, token: str) -> None:
    machine.say(LOGGING)
    try:
        assert "st2api is ready" in machine.say(f"cat {LOG}")
        machine.say(f"mv {LOG} {LOG}.1; st2ctl reopen-log-files st2api")
        st2(machine, token, "st2 action list")
        assert "GET /v1/actions" in eventually(lambda: machine.run(f"cat {LOG}").stdout)
    finally:
        machine.say("rm /etc/st2/logging.api.conf; st2ctl restart-component st2api")


def test_clean_starts_anew(machine: Machine, token: str) -> None:
    execution = json.loads(st2(machine, token, "st2 run -j core.local cmd=true"))["id"]
    machine.say("st2ctl clean", answers="y")
    all_run(machine)
    anew = machine.say("st2 auth ada -p lovelace -t")
    assert st2(machine, anew, f"st2 execution get {execution} 2>&1 || true").count("not found")
    assert "succeeded" in st2(machine, anew, "st2 run core.local cmd=true")
