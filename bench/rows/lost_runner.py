"""A host that dies while it runs a hundred actions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pymongo.database import Database

from bench.client import DEADLINE
from bench.report import Row
from bench.session import Session

_RUNNING = 100
# A lease of 45 s, and a look.
_AIM_SECONDS = 60.0


def rows(session: Session) -> Iterator[Row]:
    platform = session.platform
    with platform.places(_RUNNING), platform.database() as database:
        ids = [session.api.post("core.local", cmd="sleep 600", timeout=600) for _ in range(_RUNNING)]
        _wait_for(database, _RUNNING)
        platform.lose_runner()
        start = time.monotonic()
        _wait_for(database, 0)
        took = time.monotonic() - start
    abandoned = sum(session.api.get(execution_id)["status"] == "abandoned" for execution_id in ids)
    yield Row(
        f"{_RUNNING} actions run, runner and keeper are killed: until the last is out of `running`",
        f"{took:.0f} s, {abandoned} abandoned",
        aim=f"<= {_AIM_SECONDS:.0f} s, all",
        met=took <= _AIM_SECONDS and abandoned == _RUNNING,
    )


def _wait_for(database: Database[dict[str, Any]], running: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while (found := database["action_execution_d_b"].count_documents({"status": "running"})) != running:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{found} executions are running, not {running}")
        time.sleep(0.1)
