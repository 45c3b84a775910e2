from __future__ import annotations

from st2common.runners.pack_action import PackAction


class Unload(PackAction):
    def run(self, packs: list[str]) -> dict[str, int]:
        return self.unregister(packs)
