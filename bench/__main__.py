"""Measure the platform: ``python -m bench [ROW ...]``. Starts a platform of its own and prints a table."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
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
    lost_runner,
    memory,
    odd_output,
    restart,
    rules,
    soak,
    wall,
    webhooks,
    workflows,
)
from bench.session import Session

Rows = Callable[[Session], Iterator[Row]]

# In this order: `cost` before the rows that restart a daemon or the broker.
ROWS: dict[str, Rows] = {
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
    "restart": restart.rows,
    "lost_runner": lost_runner.rows,
}

# Only when it is named.
SOAK = "soak"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "row", nargs="*", help=f"which rows: {', '.join(ROWS)} (all of these when none is named), {SOAK}"
    )
    parser.add_argument("--sync", action="store_true", help="then again, the database syncing on each commit")
    parser.add_argument("--minutes", type=float, default=10.0, help=f"how long {SOAK} goes on (10)")
    given = parser.parse_args()
    known = ROWS | {SOAK: partial(soak.rows, minutes=given.minutes)}
    unknown = sorted(set(given.row) - known.keys())
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}: {', '.join(known)}")
    # So that what was started is stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    wanted = {name: known[name] for name in given.row or ROWS}
    for sync in (False, True) if given.sync else (False,):
        print(f"\nThe database {'syncs' if sync else 'does not sync'} on commit. {_machine()}\n", flush=True)
        rows = _measure(wanted, sync)
        print(f"\n{table(rows)}\n\nAfterwards: {_machine()}", flush=True)


def _machine() -> str:
    """What else the machine does: on a busy one the times mean little."""
    return f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}."


def _measure(wanted: Mapping[str, Rows], sync: bool) -> list[Row]:
    start = time.monotonic()
    measured: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="st2-bench-") as directory:
        platform = Platform(Path(directory) / "st2", sync)
        try:
            platform.start()
            session = Session(platform)
            try:
                for rows in wanted.values():
                    for row in rows(session):
                        print(f"{time.monotonic() - start:5.0f} s  {row.name}: {row.measured}", flush=True)
                        measured.append(row)
            finally:
                session.close()
        finally:
            platform.stop()
    return measured


if __name__ == "__main__":
    main()
