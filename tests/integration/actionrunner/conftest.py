from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from st2common.content import registrar
from st2common.transport.memory import MemoryTransport
from tests.integration.actionrunner.bench import Bench, configured


@pytest.fixture
def bench(tmp_path: Path, database: Database[dict[str, Any]], memory_transport: MemoryTransport) -> Iterator[Bench]:
    """No runner runs yet."""
    registrar.register(configured(tmp_path))
    bench = Bench(tmp_path, database, memory_transport)
    yield bench
    bench.end()
