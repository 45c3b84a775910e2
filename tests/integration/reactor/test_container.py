"""Sensors from their files to their events and their logs."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from pymongo.database import Database

from st2common.auth.tokens import Tokens
from st2common.content import pack_environment
from st2common.models import triggers
from st2common.models.keys import SYSTEM_SCOPE, Keys
from st2common.models.sensor_runs import Status
from st2common.services.sensors import switch_sensor
from st2common.services.triggers import create_trigger, delete_trigger
from st2reactor.container import partitions
from st2reactor.container.service import SensorContainerService
from tests.conditions import eventually
from tests.integration.reactor.conftest import Sensors

Documents = Database[dict[str, Any]]
Start = Callable[..., SensorContainerService]

HEAD = "from st2reactor.sensor.base import PollingSensor, Sensor\nimport os, sys, threading, time\n"
EMITS = (
    HEAD
    + """
class Emits(Sensor):
    def setup(self):
        print("setting up", self.config.get("colour"), os.environ.get("ST2_ACTION_AUTH_TOKEN"))
    def run(self):
        self.sensor_service.dispatch("default.event", {"n": 1}, trace_tag="mine")
        self.sensor_service.dispatch("default.event", {"n": "no number"})
        self.sensor_service.dispatch("default.nosuch", {})
        self.sensor_service.get_logger("here").debug("told")
        threading.Event().wait()
    def cleanup(self):
        print("cleaned up")
"""
)


def events(database: Documents, trigger: str) -> list[dict[str, Any]]:
    return [each["payload"] for each in database["trigger_instance_d_b"].find({"trigger": trigger})]


def test_a_sensor_runs_tells_and_is_stopped(
    sensors: Sensors, container: Start, database: Documents, config: cfg.ConfigOpts
) -> None:
    sensors.write("Emits", EMITS)
    assert sensors.register().errors == []
    service = container()
    run = sensors.wait("Emits", "running")
    eventually(lambda: "told" in sensors.printed(run))
    assert events(database, "default.event") == [{"n": 1}]
    [stored] = database["trigger_instance_d_b"].find({"trigger": "default.event"})
    assert stored["trace_context"] == {"trace_tag": "mine"}
    said = sensors.printed(run)
    assert 'An event of default.event is not sent: payload of trigger "default.event".n' in said
    assert 'There is no trigger "default.nosuch"' in said
    assert "Emits.here  : DEBUG    told" in said
    # Its token is hidden, and good for nothing when it has ended.
    assert "setting up None ********" in said
    assert database["token_d_b"].count_documents({"user": "sensors_container"}) == 1
    [spawned] = events(database, "core.st2.sensor.process_spawn")
    assert (spawned["id"], spawned["pid"]) == ("Emits", run["pid"])
    service.stop(10)
    run = sensors.wait("Emits", "stopped")
    assert sensors.printed(run).endswith("cleaned up\n")
    assert (run["exit_code"], run["error"], sensors.end(run).status) == (0, None, "stopped")
    assert database["token_d_b"].count_documents({}) == 0
    assert [event["exit_code"] for event in events(database, "core.st2.sensor.process_exit")] == [0]
    assert database["lease_d_b"].count_documents({}) == 0


BROKEN = {
    "Absent": ("import nosuchmodule\n", "ModuleNotFoundError: No module named 'nosuchmodule'"),
    "Misnamed": (HEAD + "class Other(Sensor):\n    def run(self): pass\n", 'defines no class "Misnamed"'),
    "Syntax": ("class Syntax(:\n", "SyntaxError"),
    "Raises": (HEAD + "class Raises(PollingSensor):\n    def poll(self): 1 / 0\n", "ZeroDivisionError"),
    "Killed": (HEAD + "class Killed(Sensor):\n    def run(self): os.kill(os.getpid(), 9)\n", "ended by SIGKILL"),
    "Leaves": (HEAD + "class Leaves(Sensor):\n    def run(self): os._exit(7)\n", "exit code 7"),
    "Garbage": (HEAD + "class Garbage(Sensor):\n    def run(self): os.write(int(sys.argv[1]), b'[]\\n')\n", "no call"),
    "Hasty": (
        HEAD + "class Hasty(Sensor):\n    def run(self): os.write(int(sys.argv[1]), b'[]\\n'), os._exit(0)\n",
        "no call",
    ),
}


def test_what_cannot_run_says_why_and_disturbs_nobody(sensors: Sensors, container: Start) -> None:
    for name, (code, _) in BROKEN.items():
        sensors.write(name, code)
    # Not as fast as it can: the databases of these tests share one disk.
    endless = HEAD + (
        "class Endless(Sensor):\n    def run(self):\n"
        "        while not threading.Event().wait(0.02): print('x' * 1000)\n"
    )
    sensors.write("Endless", endless)
    sensors.write("Fine", HEAD + "class Fine(Sensor):\n    def run(self): print('fine')\n")
    sensors.register()
    service = container()
    for name, (_, reason) in BROKEN.items():
        run = sensors.wait(name, "failed")
        assert reason in run["error"], name
        assert run["failures"] == 3
        assert sensors.end(run).status == "failed"
        before = [each["status"] for each in sensors.runs.of(f"default.{name}")[1:]]
        assert before == ["restarting", "restarting"]
    assert "Traceback" in sensors.printed(sensors.run("Raises"))
    assert sensors.wait("Fine", "finished")["exit_code"] == 0
    assert sensors.wait("Endless", "running")["failures"] == 0
    assert service.health() is None


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A pack that has to have a virtual environment, with a sensor ``own.S`` to be written."""
    directory = tmp_path / "packs" / "own"
    (directory / "sensors").mkdir(parents=True)
    manifest = "name: own\ndescription: x\nversion: 1.0.0\nauthor: Me\nemail: me@example.com\n"
    (directory / "pack.yaml").write_text(manifest)
    (directory / "sensors" / "s.yaml").write_text("class_name: S\nentry_point: s.py\ntrigger_types: [{name: event}]\n")
    return directory


def _run_of_own(sensors: Sensors, status: str) -> dict[str, Any]:
    eventually(lambda: sensors.runs.latest(["own.S"]).get("own.S", {}).get("status") == status, timeout=30)
    return sensors.runs.latest(["own.S"])["own.S"]


def test_a_pack_without_its_virtual_environment(sensors: Sensors, container: Start, own: Path) -> None:
    (own / "sensors" / "s.py").write_text(HEAD + "class S(Sensor):\n    def run(self): pass\n")
    assert sensors.register().errors == []
    container()
    run = _run_of_own(sensors, "failed")
    assert "st2 run packs.setup_virtualenv packs=own" in run["error"]
    assert run["error"] in sensors.printed(run)


def _write_wheel(path: Path, module: str, code: str) -> None:
    """A package of one module, as people publish them."""
    about = f"{module}-7.0.dist-info"
    with zipfile.ZipFile(path / f"{module}-7.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module}.py", code)
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {module}\nVersion: 7.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


@pytest.mark.full
def test_a_sensor_has_what_its_pack_requires(
    sensors: Sensors, container: Start, own: Path, config: cfg.ConfigOpts, database: Documents
) -> None:
    _write_wheel(own, "needed_by_own", "VERSION = 7\n")
    (own / "requirements.txt").write_text("./needed_by_own-7.0-py3-none-any.whl\n")
    code = "import needed_by_own\nclass S(Sensor):\n    def run(self):\n"
    code += "        print(sys.prefix)\n"
    code += "        self.sensor_service.dispatch('own.event', {'version': needed_by_own.VERSION})\n"
    (own / "sensors" / "s.py").write_text(HEAD + code)
    pack_environment.build(config, "own", own, print)
    assert sensors.register().errors == []
    container()
    run = _run_of_own(sensors, "finished")
    assert sensors.printed(run) == f"{pack_environment.location(config, 'own')}\n"
    assert events(database, "own.event") == [{"version": 7}]


def test_switching_and_changing(sensors: Sensors, container: Start) -> None:
    code = HEAD + "class Switched(Sensor):\n    def run(self):\n        print('first'); threading.Event().wait()\n"
    sensors.write("Switched", code, enabled="false")
    sensors.register()
    container()
    switch_sensor("default.Switched", True)
    first = sensors.wait("Switched", "running")
    # What the pack says does not count any more.
    sensors.write("Switched", code.replace("first", "second"), enabled="false")
    sensors.register()
    eventually(lambda: "second" in sensors.printed(sensors.run("Switched")), timeout=30)
    assert sensors.runs.get(str(first["_id"]))["status"] == Status.STOPPED  # type: ignore[index]
    switch_sensor("default.Switched", False)
    sensors.wait("Switched", "stopped")


TRIGGERS = (
    HEAD
    + """
class Told(Sensor):
    def run(self): threading.Event().wait()
    def add_trigger(self, trigger): print("add", trigger["parameters"])
    def remove_trigger(self, trigger): print("remove", trigger["parameters"]); 1 / 0
"""
)


def test_a_sensor_is_told_of_its_triggers(sensors: Sensors, container: Start) -> None:
    types = "[{name: line, parameters_schema: {properties: {file: {type: string}}}}]"
    sensors.write("Told", TRIGGERS)
    sensors.register()
    path = sensors._directory / "told.yaml"
    path.write_text(f"class_name: Told\nentry_point: told.py\ntrigger_types: {types}\n")
    assert sensors.register().errors == []
    create_trigger(None, {"type": "default.line", "parameters": {"file": "a"}})
    container()
    run = sensors.wait("Told", "running")
    eventually(lambda: "add {'file': 'a'}" in sensors.printed(run))
    made = create_trigger(None, {"type": "default.line", "parameters": {"file": "b"}})
    eventually(lambda: "add {'file': 'b'}" in sensors.printed(run))
    delete_trigger(None, made["ref"])
    eventually(lambda: "remove {'file': 'b'}" in sensors.printed(run))
    eventually(lambda: "ZeroDivisionError" in sensors.printed(run))
    assert sensors.run("Told")["status"] == "running"
    assert triggers.find(["default.event"])[0] == []


def test_a_long_log_goes_on_in_another(sensors: Sensors, container: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("st2reactor.container.output.MAX_LOG", 200)
    monkeypatch.setattr("st2reactor.container.supervisor.KEPT_RUNS", 3)
    lines = "for n in range(300): print(n); sys.stdout.flush(); time.sleep(0.001)"
    sensors.write("Long", HEAD + f"class Long(Sensor):\n    def run(self):\n        {lines}\n")
    sensors.register()
    container()
    last = sensors.wait("Long", "finished")
    eventually(lambda: len(sensors.runs.of("default.Long")) <= 3)
    runs = sensors.runs.of("default.Long")
    assert [run["status"] for run in runs] == ["finished", *["continued"] * (len(runs) - 1)]
    printed = "".join(sensors.printed(run) for run in reversed(runs)).split()
    assert printed == [str(n) for n in range(int(printed[0]), 300)]
    assert str(last["_id"]) == str(runs[0]["_id"])


def test_what_a_container_has_left_open_is_ended_by_the_next(
    sensors: Sensors, container: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensors.runs.ensure_indexes()
    left = sensors.runs.begin("default.Gone", "sensornode1", "host", 1, 0)
    elsewhere = sensors.runs.begin("default.Other", "another", "host", 1, 0)
    container()
    eventually(lambda: sensors.runs.final_status(left) == "lost")
    assert sensors.end({"_id": left}).status == "lost"
    assert sensors.runs.final_status(elsewhere) is None


def test_one_container_of_a_node_works_at_a_time(
    sensors: Sensors, container: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensors.write("One", HEAD + "class One(Sensor):\n    def run(self): threading.Event().wait()\n")
    sensors.register()
    first = container()
    running = sensors.wait("One", "running")
    # As if it was another process.
    monkeypatch.setattr("os.getpid", lambda: 1)
    container()
    first.stop(10)
    eventually(lambda: sensors.run("One")["_id"] != running["_id"] and sensors.run("One")["status"] == "running")
    # Ids of one second that different processes make are in no order.
    assert sorted(run["status"] for run in sensors.runs.of("default.One")) == ["running", "stopped"]


def test_a_single_sensor_gives_its_exit_code(
    sensors: Sensors, container: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals: list[int] = []
    monkeypatch.setattr("os.kill", lambda _pid, number: signals.append(number))
    sensors.write("Single", HEAD + "class Single(Sensor):\n    def run(self): os._exit(7)\n", enabled="false")
    sensors.register()
    service = container(single_sensor="default.Single")
    eventually(lambda: signals, timeout=30)
    assert service.exit_code == 7
    assert len(sensors.runs.of("default.Single")) == 1


def test_the_token_of_a_sensor_lives_on(database: Documents) -> None:
    tokens = Tokens(database)
    made = tokens.create("sensors_container", 60, service=True)
    tokens.extend(made.token, 3600)
    identity = tokens.identity(made.token)
    assert identity is not None
    assert (identity.expires or 0) > made.expiry.timestamp() * 1_000_000


def test_a_partition_in_the_datastore(config: cfg.ConfigOpts, database: Documents) -> None:
    config.set_override("partition_provider", {"name": "kvstore"}, group="sensorcontainer")
    partition = partitions.provider(config, database)
    assert partition()("any.Sensor")
    item = {"scope": SYSTEM_SCOPE, "name": "sensornode1.sensor_partition", "value": "a.A, b.B", "secret": False}
    Keys(database).put(item)
    assert [partition()(reference) for reference in ("a.A", "b.B", "c.C")] == [True, True, False]
