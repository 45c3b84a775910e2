from __future__ import annotations

from st2common.runners.pack_action import PackAction


class Load(PackAction):
    def run(self, packs: list[str] | None, register: str) -> dict[str, int]:
        return self.register(packs or [], [kind.strip() for kind in register.split(",") if kind.strip()])
