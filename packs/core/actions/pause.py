from __future__ import annotations

import random
import time

from st2common.runners.base_action import Action


class Pause(Action):
    def run(self, max_pause: int) -> int:
        """How many seconds it has waited."""
        pause = random.randint(0, max_pause)  # noqa: S311 - not a secret
        time.sleep(pause)
        return pause
