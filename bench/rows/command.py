"""What the command ``st2`` costs by itself: from its start to its end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.report import Row, percentile
from bench.session import Session

_TIMES = 15
_AIM_HELP_MS = 150


def rows(session: Session) -> Iterator[Row]:
    python = [sys.executable, "-c", "pass"]
    st2 = str(Path(sys.executable).with_name("st2"))
    listing = ["execution", "list", "--api-url", f"http://127.0.0.1:{session.platform.api}/v1"]
    interpreter = _median_ms(python)
    for words, aim in ((["--help"], _AIM_HELP_MS), (["run", "--help"], _AIM_HELP_MS), (listing, None)):
        took = _median_ms([st2, *words])
        yield Row(
            f"st2 {' '.join(words[:2])}, median of {_TIMES}",
            f"{took:.0f} ms",
            f"python -c pass {interpreter:.0f} ms",
            f"{took / interpreter:.1f}",
            "" if aim is None else f"<= {aim} ms",
            None if aim is None else took <= aim,
        )


def _median_ms(command: Sequence[str]) -> float:
    times = []
    # The first one reads the files from the disk, and may compile them.
    for _ in range(_TIMES + 1):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append((time.perf_counter() - start) * 1000)
    return percentile(times[1:], 50)
