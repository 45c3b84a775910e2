"""Measure the platform: ``python -m bench [ROW ...]``. Starts a platform of its own and prints a table."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.platform import Platform
from bench.report import Row, table
from bench.rows import (
    broker,
    command,
    conductor,
    cost,
    executions,
    fanout,
    latency,
    lines,
    lists,
    memory,
    odd_output,
    rules,
    wall,
    webhooks,
    workflows,
)
from bench.session import Session

# In this order: `cost` before the rows that restart a daemon or the broker.
ROWS: dict[str, Callable[[Session], Iterator[Row]]] = {
    "memory": memory.rows,
    "command": command.rows,
    "conductor": conductor.rows,
    "executions": executions.rows,
    "latency": latency.rows,
    "fanout": fanout.rows,
    "lines": lines.rows,
    "odd_output": odd_output.rows,
    "lists": lists.rows,
    "rules": rules.rows,
    "webhooks": webhooks.rows,
    "cost": cost.rows,
    "wall": wall.rows,
    "workflows": workflows.rows,
    "broker": broker.rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("row", nargs="*", help=f"which rows: {', '.join(ROWS)} (all of them when none is named)")
    parser.add_argument("--sync", action="store_true", help="then again, the database syncing on each commit")
    given = parser.parse_args()
    unknown = sorted(set(given.row) - ROWS.keys())
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}: {', '.join(ROWS)}")
    # So that what was started is stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names = given.row or list(ROWS)
    for sync in (False, True) if given.sync else (False,):
        print(f"\nThe database {'syncs' if sync else 'does not sync'} on commit. {_machine()}\n", flush=True)
        rows = _measure(names, sync)
        print(f"\n{table(rows)}\n\nAfterwards: {_machine()}", flush=True)


def _machine() -> str:
    """What else the machine does: on a busy one the times mean little."""
    return f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}."


def _measure(names: list[str], sync: bool) -> list[Row]:
    start = time.monotonic()
    measured: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="st2-bench-") as directory:
        platform = Platform(Path(directory) / "st2", sync)
        try:
            platform.start()
            session = Session(platform)
            try:
                for name in names:
                    for row in ROWS[name](session):
                        print(f"{time.monotonic() - start:5.0f} s  {row.name}: {row.measured}", flush=True)
                        measured.append(row)
            finally:
                session.close()
        finally:
            platform.stop()
    return measured


if __name__ == "__main__":
    main()
