from __future__ import annotations

from st2common.content import pack_environment, paths
from st2common.content.pack_source import InstallError
from st2common.runners.pack_action import PackAction, tell


class SetupVirtualenv(PackAction):
    def run(self, packs: list[str], update: bool) -> str:
        for pack in packs:
            directory = paths.pack_directory(self.platform, pack)
            if directory is None:
                raise InstallError(f'Pack "{pack}" is not installed')
            pack_environment.build(self.platform, pack, directory, tell, update=update)
        return "Successfully set up virtualenv for the following packs: " + ", ".join(packs)
