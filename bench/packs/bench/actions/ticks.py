from __future__ import annotations

import time
from pathlib import Path

from st2common.runners.base_action import Action


class Ticks(Action):
    def run(self, count: int, interval: float, gate: str) -> int:
        print("ready")
        Path(gate).read_bytes()
        start = time.monotonic()
        for number in range(1, count + 1):
            time.sleep(max(0.0, start + number * interval - time.monotonic()))
            print(f"tick {time.time_ns()}")
        return count
