from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from pymongo.database import Database

from st2common import config as configuration
from st2common.clock import now_us
from st2common.errors import ConfigError
from st2common.models.executions import Executions
from st2common.models.leases import Lease
from st2common.output.mongo_log import MongoOutputLog
from st2common.transport.memory import MemoryTransport
from st2garbagecollector import service
from st2garbagecollector.rescuer import Rescuer
from st2garbagecollector.service import GarbageCollectorService
from tests.conditions import eventually
from tests.integration.garbagecollector.conftest import DAY, SECOND


def config_of(tmp_path: Path, **options: object) -> cfg.ConfigOpts:
    conf = tmp_path / "st2.conf"
    lines = [f"{name} = {value}" for name, value in options.items()]
    conf.write_text("\n".join(["[garbagecollector]", *lines, ""]))
    return configuration.load(["--config-file", str(conf)], "st2test")


def test_one_collector_at_a_time(database: Database[dict[str, Any]]) -> None:
    first, second = (Lease(database, "garbagecollector", owner, 60) for owner in ("a", "b"))
    assert [first.acquire(), second.acquire(), first.acquire()] == [True, False, True]
    second.release()
    assert second.acquire() is False
    first.release()
    assert second.acquire() is True


def test_a_silent_collector_is_replaced(database: Database[dict[str, Any]]) -> None:
    assert Lease(database, "garbagecollector", "a", seconds=-1).acquire() is True
    assert Lease(database, "garbagecollector", "b", seconds=60).acquire() is True
    assert Lease(database, "garbagecollector", "a", seconds=60).acquire() is False


@pytest.mark.parametrize(
    "option",
    ["action_executions_ttl", "action_executions_output_ttl", "trigger_instances_ttl", "traces_ttl", "tokens_ttl"],
)
def test_less_than_a_day_is_refused(
    tmp_path: Path, database: Database[dict[str, Any]], transport: MemoryTransport, option: str
) -> None:
    with pytest.raises(ConfigError, match=option):
        GarbageCollectorService(config=config_of(tmp_path, **{option: -1}), database=database, transport=transport)


def test_the_service_does_its_jobs_and_leaves_the_lease(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database: Database[dict[str, Any]],
    executions: Executions,
    log: MongoOutputLog,
    transport: MemoryTransport,
    work: list[str],
    stored: Callable[..., str],
) -> None:
    monkeypatch.setattr(service, "TICK", 0.01)
    monkeypatch.setattr(Rescuer, "patience", 0.0)
    forgotten = stored("requested", age=60 * SECOND)
    abandoned = stored("running", age=60 * SECOND, attempt=1, owner="r", lease_until=now_us() - SECOND)
    old = stored("failed", age=3 * DAY, end_timestamp=now_us() - 3 * DAY + SECOND)
    collector = GarbageCollectorService(
        config=config_of(tmp_path, action_executions_ttl=2), database=database, transport=transport
    )
    collector.start()
    try:
        eventually(lambda: work == [forgotten])
        eventually(lambda: str(executions.status(abandoned)) == "abandoned")
        eventually(lambda: executions.get(old) is None)
        assert collector.health() is None
    finally:
        collector.stop(5)
    assert database["lease_d_b"].find_one({}) is None


def test_nothing_is_removed_where_everything_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database: Database[dict[str, Any]],
    transport: MemoryTransport,
    work: list[str],
    stored: Callable[..., str],
    executions: Executions,
) -> None:
    monkeypatch.setattr(service, "TICK", 0.01)
    old = stored("failed", age=900 * DAY, end_timestamp=now_us() - 900 * DAY + SECOND)
    config = config_of(tmp_path, action_executions_ttl=0, action_executions_output_ttl=0)
    collector = GarbageCollectorService(config=config, database=database, transport=transport)
    collector.start()
    try:
        forgotten = stored("requested", age=60 * SECOND)
        eventually(lambda: work == [forgotten])
    finally:
        collector.stop(5)
    found = executions.get(old)
    assert found is not None
    assert "output_purged" not in found
