from __future__ import annotations

from st2common.content import install
from st2common.runners.pack_action import PackAction, tell


class Delete(PackAction):
    def run(self, packs: list[str], delete_env: bool) -> None:
        for pack in packs:
            install.delete(self.platform, pack, tell, environment=delete_env)
