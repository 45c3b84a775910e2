from __future__ import annotations

from typing import Any

from st2common.content import install
from st2common.content.install import Conflicts, Installed, Options
from st2common.content.pack_source import InstallError
from st2common.runners.action_service import ApiError
from st2common.runners.pack_action import PackAction, tell


class Install(PackAction):
    """Its result is that of a workflow: clients read ``output``."""

    def run(self, packs: list[str], register: str, force: bool, skip_dependencies: bool) -> tuple[bool, dict[str, Any]]:
        options = Options(force=force, skip_dependencies=skip_dependencies)
        try:
            installed = install.install(self.platform, packs, options, tell)
        except Conflicts as error:
            return False, _output(Installed(), f"Unable to install: {error}", error.conflicts)
        except InstallError as error:
            return False, _output(Installed(), f"Unable to install: {error}")
        kinds = [kind.strip() for kind in register.split(",") if kind.strip()]
        try:
            tell(f"Registered: {self.register(installed.packs, kinds)}")
        except ApiError as error:
            return False, _output(installed, f"Installed, but not all of it could be registered: {error}")
        return True, _output(installed, "Installed: " + ", ".join(installed.packs))


def _output(installed: Installed, message: str, conflicts: list[str] | None = None) -> dict[str, Any]:
    for warning in installed.warnings:
        tell(f"Warning: {warning}")
    tell(message)
    return {
        "packs_list": installed.packs,
        "message": message,
        "conflict_list": conflicts or [],
        "warning_list": installed.warnings,
    }
