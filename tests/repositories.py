"""Packs in repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

_IDENTITY = ("-c", "user.name=x", "-c", "user.email=x@example.com")


def bare_repository(work: Path, name: str, tag: str) -> Path:
    """The files in ``work``, as one commit with a tag, in a bare repository of that name beside it."""
    for words in (["init", "-q"], ["add", "."], [*_IDENTITY, "commit", "-qm", "one"], ["tag", tag]):
        subprocess.run(["git", *words], cwd=work, check=True, capture_output=True)
    subprocess.run(["git", "clone", "-q", "--bare", work.name, name], cwd=work.parent, check=True)
    return work.parent / name
