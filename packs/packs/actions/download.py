from __future__ import annotations

from st2common.content import install
from st2common.content.install import Options
from st2common.runners.pack_action import PackAction, tell


class Download(PackAction):
    def run(self, packs: list[str], force: bool, verifyssl: bool, skip_dependencies: bool) -> dict[str, str]:
        options = Options(force=force, skip_dependencies=skip_dependencies, verify_ssl=verifyssl, environments=False)
        installed = install.install(self.platform, packs, options, tell)
        return dict.fromkeys(installed.packs, "Success.")
