from __future__ import annotations

from pathlib import Path

from st2common.runners.base_action import Action


class PythonLines(Action):
    def run(self, count: int, gate: str) -> int:
        if gate:
            print("ready")
            Path(gate).read_bytes()
        rest = "x" * 71
        for line in range(1, count + 1):
            print(f"{line:07d} {rest}")
        return count
