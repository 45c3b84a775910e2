from __future__ import annotations

from typing import Any

from st2common.runners.pack_action import PackAction


class Show(PackAction):
    def run(self, pack: str) -> dict[str, Any]:
        """``pack`` is null where the index has none of this name."""
        return {"pack": self.index().packs.get(pack)}
