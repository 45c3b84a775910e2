"""A container on a real database, and a pack whose sensors a test writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from pymongo.database import Database

from st2common import config as configuration
from st2common.content import registrar
from st2common.content.report import Report
from st2common.models.sensor_runs import SensorRuns
from st2common.output.chunk import Chunk
from st2common.output.mongo_log import MongoOutputLog
from st2common.transport.memory import MemoryTransport
from st2reactor.container import service
from st2reactor.container.service import SensorContainerService
from tests.conditions import eventually

Documents = Database[dict[str, Any]]

#: A pack that runs on the platform's own Python.
PACK = "default"
MANIFEST = "name: default\ndescription: x\nversion: 1.0.0\nauthor: Me\nemail: me@example.com\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TICK", 0.05)
    monkeypatch.setattr("st2reactor.container.supervisor.RESTART_DELAY", 0.02)


@pytest.fixture
def config(tmp_path: Path) -> cfg.ConfigOpts:
    loaded = configuration.load([], prog="test")
    loaded.set_override("base_path", str(tmp_path), group="system")
    loaded.set_override("system_packs_base_path", str(tmp_path / "packs"), group="content")
    (tmp_path / "packs" / PACK / "sensors").mkdir(parents=True)
    (tmp_path / "packs" / PACK / "pack.yaml").write_text(MANIFEST)
    return loaded


class Sensors:
    """The sensors of the pack, and what becomes of them."""

    def __init__(self, directory: Path, config: cfg.ConfigOpts, database: Documents) -> None:
        self._directory = directory
        self._config = config
        self.runs = SensorRuns(database)
        self._log = MongoOutputLog(database)

    def write(self, name: str, code: str, **metadata: Any) -> None:
        """``code``: the file of the class ``name``."""
        lines = [f"{key}: {value}\n" for key, value in metadata.items()]
        types = "trigger_types:\n  - name: event\n    payload_schema: {properties: {n: {type: integer}}}\n"
        text = f"class_name: {name}\nentry_point: {name.lower()}.py\n{types}{''.join(lines)}"
        (self._directory / f"{name.lower()}.yaml").write_text(text)
        (self._directory / f"{name.lower()}.py").write_text(code)

    def register(self) -> Report:
        return registrar.register(self._config)

    def run(self, name: str) -> dict[str, Any]:
        """The last run."""
        return self.runs.latest([f"{PACK}.{name}"]).get(f"{PACK}.{name}", {})

    def wait(self, name: str, *statuses: str) -> dict[str, Any]:
        eventually(lambda: self.run(name).get("status") in statuses, timeout=60)
        return self.run(name)

    def printed(self, run: dict[str, Any]) -> str:
        chunks: list[Chunk] = []
        while page := self._log.read(str(run["_id"]), len(chunks)):
            chunks += page
        return b"".join(chunk.data for chunk in chunks).decode()

    def end(self, run: dict[str, Any]) -> Any:
        return self._log.end(str(run["_id"]))


@pytest.fixture
def sensors(tmp_path: Path, config: cfg.ConfigOpts, database: Documents) -> Sensors:
    return Sensors(tmp_path / "packs" / PACK / "sensors", config, database)


@pytest.fixture
def container(
    config: cfg.ConfigOpts, database: Documents, memory_transport: MemoryTransport
) -> Iterator[Callable[..., SensorContainerService]]:
    started = []

    def start(**options: Any) -> SensorContainerService:
        made = SensorContainerService(config=config, database=database, transport=memory_transport, **options)
        made.start()
        started.append(made)
        return made

    yield start
    for each in started:
        each.stop(10)
