"""Sensors over HTTP: what there is, whether it runs, and its log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.sensor_runs import SensorRuns, Status
from st2common.output.chunk import Stream as OutputStream
from st2common.output.doorbell import Doorbell
from st2common.output.log import Position
from st2common.output.masking import Secrets
from st2common.output.mongo_log import MongoOutputLog
from st2common.output.writer import Arrival, Writer
from st2common.services.sensors import save_sensor
from st2common.transport.memory import MemoryTransport
from st2stream.service import Stream

Documents = Database[dict[str, Any]]


@pytest.fixture(autouse=True)
def sensors(client: FlaskClient) -> None:
    for name, enabled in (("Watch", True), ("Idle", False)):
        save_sensor(
            {
                "pack": "core",
                "name": name,
                "enabled": enabled,
                "file": f"/opt/packs/core/sensors/{name.lower()}.py",
                "digest": "d",
                "metadata_file": f"sensors/{name.lower()}.yaml",
                "trigger_types": [{"pack": "core", "name": f"{name.lower()}ed"}],
            }
        )


def refs(client: FlaskClient, query: str = "") -> list[str]:
    answer = client.get(f"/v1/sensortypes{query}")
    assert answer.status_code == 200
    return [sensor["ref"] for sensor in answer.json]


def test_the_shape(client: FlaskClient) -> None:
    shown = client.get("/v1/sensortypes/core.Watch").json
    identity = shown.pop("id")
    assert shown == {
        "uid": "sensor_type:core:Watch",
        "metadata_file": "sensors/watch.yaml",
        "name": "Watch",
        "ref": "core.Watch",
        "pack": "core",
        "artifact_uri": "file:///opt/packs/core/sensors/watch.py",
        "entry_point": "sensors.watch.Watch",
        "trigger_types": ["core.watched"],
        "enabled": True,
    }
    assert client.get(f"/v1/sensortypes/{identity}").json["ref"] == "core.Watch"
    assert client.get("/v1/sensortypes/core.Nosuch").status_code == 404


def test_lists(client: FlaskClient) -> None:
    assert refs(client) == ["core.Idle", "core.Watch"]
    assert refs(client, "?enabled=true") == ["core.Watch"]
    assert refs(client, "?enabled=False") == ["core.Idle"]
    assert refs(client, "?trigger=core.idleed") == ["core.Idle"]
    assert refs(client, "?pack=other") == []
    [shown] = client.get("/v1/sensortypes?name=Watch&include_attributes=enabled").json
    assert set(shown) == {"id", "ref", "enabled"}


def test_switching_outlives_registration(client: FlaskClient) -> None:
    whole = client.get("/v1/sensortypes/core.Watch").json
    changed = client.put("/v1/sensortypes/core.Watch", json={**whole, "enabled": False, "name": "Other"}).json
    assert (changed["enabled"], changed["name"]) == (False, "Watch")
    assert refs(client, "?enabled=true") == []
    stored = {"pack": "core", "name": "Watch", "file": "/w.py", "digest": "e", "metadata_file": "sensors/watch.yaml"}
    save_sensor({**stored, "trigger_types": [], "enabled": True})
    assert client.get("/v1/sensortypes/core.Watch").json["enabled"] is False
    assert client.put("/v1/sensortypes/core.Watch", json={}).status_code == 400


@pytest.fixture
def stream(config: cfg.ConfigOpts, database: Documents, memory_transport: MemoryTransport) -> Iterator[FlaskClient]:
    made = Stream(config, database, memory_transport)
    yield made.app.test_client()
    made.close()


def test_runs_and_their_logs(client: FlaskClient, stream: FlaskClient, database: Documents) -> None:
    runs, log = SensorRuns(database), MongoOutputLog(database)
    path = "/v1/sensortypes/core.Watch/output"
    assert stream.get(path).status_code == 404
    ids = []
    for text, status in ((b"first\n", Status.CONTINUED), (b"second\n", Status.FAILED)):
        ids.append(runs.begin("core.Watch", "node", "host", 7, 0))
        writer = Writer(log, Doorbell(MemoryTransport()), ids[-1], 1, Position(), Secrets())
        writer.write([Arrival(OutputStream.STDOUT, text, now_us())])
        writer.finish(str(status), 1)
        runs.end(ids[-1], status, 1, "ValueError: x", 3)
    run = client.get("/v1/sensortypes/core.Watch").json["run"]
    assert (run["id"], run["status"], run["error"], run["failures"]) == (ids[1], "failed", "ValueError: x", 3)
    last = stream.get(path)
    assert last.headers["X-St2-Run-Id"] == ids[1]
    assert ("second" in last.text, "first" in last.text, '"status":"failed"' in last.text) == (True, False, True)
    assert last.text.endswith("event: EOF\ndata: ''\n\n")
    assert '"status":"continued"' in stream.get(f"{path}?run={ids[0]}").text
    assert stream.get(f"{path}?after={ids[0]}").headers["X-St2-Run-Id"] == ids[1]
    assert stream.get(f"{path}?after={ids[1]}").status_code == 404
