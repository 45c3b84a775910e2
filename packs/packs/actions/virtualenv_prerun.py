from __future__ import annotations

from st2common.content import pack_source, paths
from st2common.runners.pack_action import PackAction


class VirtualenvPrerun(PackAction):
    def run(self, packs: list[str]) -> list[str]:
        """References of those that are here and have a virtual environment of their own."""
        names = [pack_source.name_of(pack) for pack in packs]
        return [
            name
            for name in names
            if name not in paths.SYSTEM_PACKS and paths.pack_directory(self.platform, name) is not None
        ]
