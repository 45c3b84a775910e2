"""What each daemon has used since the platform was started: run it after the rows that are to be counted."""

from __future__ import annotations

from collections.abc import Iterator

from bench.report import Row
from bench.session import Session


def rows(session: Session) -> Iterator[Row]:
    everything = session.platform.everything()
    cpu = ", ".join(f"{name} {sum(each.cpu_seconds() for each in found):.1f}" for name, found in everything.items())
    peak = ", ".join(f"{name} {max(each.peak_rss_mb() for each in found):.0f}" for name, found in everything.items())
    yield Row("CPU of each process so far", f"s: {cpu}")
    yield Row("peak RSS of each process", f"MB: {peak}")
