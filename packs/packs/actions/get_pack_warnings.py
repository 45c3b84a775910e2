from __future__ import annotations

from st2common.content import pack_checks, pack_manifest, paths
from st2common.content.loader import load
from st2common.runners.pack_action import PackAction


class GetPackWarnings(PackAction):
    def run(self, packs_list: list[str]) -> dict[str, list[str]]:
        warnings: list[str] = []
        for pack in packs_list:
            directory = paths.pack_directory(self.platform, pack) if paths.is_reference(pack) else None
            if directory is not None:
                warnings += pack_checks.objections(pack_manifest.complete(load(directory / paths.MANIFEST), directory))
        return {"warning_list": warnings}
