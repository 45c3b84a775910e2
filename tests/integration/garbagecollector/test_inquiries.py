"""Inquiries that nobody answers are timed out by the service, where it is told to do so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.executions import Executions
from st2common.output.mongo_log import MongoOutputLog
from st2common.transport.memory import MemoryTransport
from st2garbagecollector import service
from st2garbagecollector.service import GarbageCollectorService
from tests.conditions import eventually
from tests.integration.garbagecollector.conftest import SECOND
from tests.integration.garbagecollector.test_service import config_of


@pytest.mark.parametrize(("purge", "status"), [(True, "timeout"), (False, "pending")])
def test_timeout(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database: Database[dict[str, Any]],
    executions: Executions,
    log: MongoOutputLog,
    transport: MemoryTransport,
    work: list[str],
    stored: Callable[..., str],
    purge: bool,
    status: str,
) -> None:
    monkeypatch.setattr(service, "TICK", 0.01)
    inquiry_id = stored("pending", age=60 * SECOND, attempt=1, pending_until=now_us() - SECOND)
    forgotten = stored("requested", age=60 * SECOND)
    collector = GarbageCollectorService(
        config=config_of(tmp_path, purge_inquiries=purge), database=database, transport=transport
    )
    collector.start()
    # It works.
    eventually(lambda: forgotten in work)
    if purge:
        eventually(lambda: log.end(inquiry_id) is not None)
    collector.stop(10)
    found = executions.get(inquiry_id)
    assert found is not None
    assert found["status"] == status
    assert (log.end(inquiry_id) is not None) is purge
