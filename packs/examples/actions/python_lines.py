from __future__ import annotations

import sys
import time

from st2common.runners.base_action import Action


class PythonLines(Action):
    """Prints to both streams, logs (to standard error) and returns how many lines it printed."""

    def run(self, count: int, delay: float) -> dict[str, int]:
        self.logger.info("About to print %d lines", count)
        for line in range(1, count + 1):
            time.sleep(delay)
            if line % 2:
                print(f"stderr -> Line: {line}", file=sys.stderr)
            else:
                print(f"stdout -> Line: {line}")
        return {"lines": count}
