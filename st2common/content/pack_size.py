"""How large a pack may be: a repository of some kilobytes can stand for more than any disk holds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from st2common.content.pack_source import InstallError

#: Bytes of all files of a pack, and of one file of a repository's history.
MAX_BYTES = 1024 * 1024 * 1024
MAX_FILES = 100_000


def check(sizes: Iterable[int]) -> None:
    """``sizes``: bytes of each file. Reads no further than it has to.

    Raises:
        InstallError: that is too much.
    """
    total = 0
    for number, size in enumerate(sizes, 1):
        total += size
        if number > MAX_FILES:
            raise InstallError(f"A pack with more than {MAX_FILES} files is not installed")
        if total > MAX_BYTES:
            raise InstallError(f"A pack with more than {MAX_BYTES} bytes is not installed")


def in_directory(directory: Path) -> Iterable[int]:
    """The bytes of each file; links count as what they are."""
    for parent, _, files in os.walk(directory):
        for name in files:
            yield Path(parent, name).lstat().st_size


def in_tree(lines: Iterable[str]) -> Iterable[int]:
    """The same of what ``git ls-tree -r -l`` says: mode, type, name of the object, bytes (``-`` of a submodule)."""
    for line in lines:
        size = line.split(maxsplit=4)[3]
        yield int(size) if size.isdecimal() else 0
