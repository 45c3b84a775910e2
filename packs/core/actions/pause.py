from __future__ import annotations

import time
from secrets import randbelow

from st2common.runners.base_action import Action


class Pause(Action):
    def run(self, max_pause: int, random: bool) -> int:
        """How many seconds it has waited."""
        pause = randbelow(max_pause + 1) if random else max_pause
        time.sleep(pause)
        return pause
