"""What a daemon says of itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


def status(state_path: Path, child: subprocess.Popen[str]) -> dict[str, Any] | None:
    """The status file of a daemon that is ready and well, else None; fails when the daemon has ended."""
    assert child.poll() is None, (state_path / "stderr").read_text()
    found = list((state_path / "services").glob(f"*-{child.pid}.json"))
    read: dict[str, Any] = json.loads(found[0].read_text()) if found else {}
    return read if read.get("ready") and read["health"] is None else None
