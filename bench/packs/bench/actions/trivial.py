from __future__ import annotations

from st2common.runners.base_action import Action


class Trivial(Action):
    def run(self) -> int:
        print("one line")
        return 1
