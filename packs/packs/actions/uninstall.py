from __future__ import annotations

from typing import Any

from st2common.content import install, paths
from st2common.content.pack_source import InstallError
from st2common.runners.pack_action import PackAction, tell


class Uninstall(PackAction):
    """Its result is that of a workflow: clients read ``output``."""

    def run(self, packs: list[str], delete_env: bool) -> tuple[bool, dict[str, Any]]:
        protected = sorted(set(packs) & paths.PROTECTED_PACKS)
        if protected:
            return False, _output([], f"The platform cannot do without {', '.join(protected)}")
        removed: list[str] = []
        try:
            for pack in packs:
                # The files first: what could not be deleted stays registered.
                install.delete(self.platform, pack, tell, environment=delete_env)
                self.unregister([pack])
                removed.append(pack)
        except InstallError as error:
            return False, _output(removed, str(error))
        return True, _output(removed, "Removed: " + ", ".join(removed))


def _output(packs: list[str], message: str) -> dict[str, Any]:
    tell(message)
    return {"packs_list": packs, "message": message, "warning_list": []}
