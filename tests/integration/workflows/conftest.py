from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from st2common.transport.memory import MemoryTransport
from tests.integration.workflows.stage import Stage


@pytest.fixture
def stage(tmp_path: Path, database: Database[dict[str, Any]], memory_transport: MemoryTransport) -> Iterator[Stage]:
    """One engine works."""
    stage = Stage(tmp_path, database, memory_transport)
    stage.engine()
    yield stage
    stage.stop_engines()
