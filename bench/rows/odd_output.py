"""Output that is not short lines of text."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.report import Row
from bench.session import Session

_AIM_SECONDS = 1.0
_MB = 1024 * 1024


def rows(session: Session) -> Iterator[Row]:
    yield _measure(session, "a line of 5 MB", "line", 5 * _MB)
    yield _measure(session, "64 KiB of every byte, not UTF-8", "bytes", 64 * 1024)
    yield _measure(session, "a line of 17 MB", "line", 17 * _MB)


def _measure(session: Session, name: str, kind: str, size: int) -> Row:
    start = time.perf_counter()
    execution_id = session.api.post("bench.odd_output", kind=kind, size=size)
    took = session.ends.wait(execution_id) - start
    stored = b"".join(session.api.raw_stdout(execution_id))
    intact = stored == _expected(kind, size)
    return Row(
        f"{name}: POST to succeeded",
        f"{took:.2f} s, " + ("intact" if intact else f"NOT INTACT: {len(stored):,} bytes stored"),
        aim=f"intact, <= {_AIM_SECONDS:.0f} s",
        met=intact and took <= _AIM_SECONDS,
    )


def _expected(kind: str, size: int) -> bytes:
    return bytes(range(256)) * (size // 256) if kind == "bytes" else b"0123456789abcdef" * (size // 16) + b"\n"
