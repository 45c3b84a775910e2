from __future__ import annotations

from typing import Any

from st2common.runners.pack_action import PackAction


class Search(PackAction):
    def run(self, query: str) -> list[dict[str, Any]]:
        return self.index().search(query)
