"""Single daemons as processes, with servers and a directory of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

_PROGRAMS = Path(sys.executable).parent

Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def conf(tmp_path: Path, database: Database[dict[str, Any]], database_uri: str, rabbitmq_url: str) -> Path:
    """A configuration file that is right."""
    file = tmp_path / "st2.conf"
    file.write_text(
        f"[system]\nstate_path = {tmp_path}\n"
        f"[database]\nhost = {database_uri}\ndb_name = {database.name}\n"
        f"[messaging]\nurl = {rabbitmq_url}\n"
    )
    return file


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start a program; what it says is in the file ``stderr``."""
    children: list[subprocess.Popen[str]] = []

    def start(name: str, *args: str) -> subprocess.Popen[str]:
        with (tmp_path / "stderr").open("w") as stderr:
            child = subprocess.Popen([_PROGRAMS / name, *args], stderr=stderr, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
