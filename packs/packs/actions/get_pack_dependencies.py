from __future__ import annotations

from typing import Any

from st2common.content import pack_checks, pack_manifest, paths
from st2common.content.loader import load
from st2common.runners.pack_action import PackAction


class GetPackDependencies(PackAction):
    def run(self, packs_status: dict[str, str], nested: int) -> dict[str, Any]:
        """What the named packs, which are here, need beside what is installed."""
        missing: list[str] = []
        conflicts: list[str] = []
        for pack in packs_status:
            directory = paths.pack_directory(self.platform, pack) if paths.is_reference(pack) else None
            if directory is not None:
                manifest = pack_manifest.complete(load(directory / paths.MANIFEST), directory)
                found = pack_checks.dependencies(self.platform, manifest)
                missing += [name for name in found.missing if name not in missing]
                conflicts += found.conflicts
        return {"dependency_list": missing, "conflict_list": conflicts, "nested": nested - 1}
