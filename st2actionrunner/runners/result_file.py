"""The file in which a child of ours leaves its result. Standard library only: the child imports it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(path: str, result: Mapping[str, Any]) -> None:
    """Leave ``result`` at ``path``, whole or not at all."""
    final = Path(path)
    temporary = final.with_name(final.name + ".new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump(result, file)
    temporary.replace(final)


def read(content: bytes | None) -> dict[str, Any]:
    """What a child left; nothing where it did not come so far."""
    written = json.loads(content) if content else {}
    return written if isinstance(written, dict) else {}
