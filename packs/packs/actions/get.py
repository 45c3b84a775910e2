from __future__ import annotations

from typing import Any

from st2common.content import pack_download, pack_manifest, paths
from st2common.content.loader import load
from st2common.runners.pack_action import PackAction


class Get(PackAction):
    def run(self, pack: str) -> dict[str, Any]:
        """``pack`` is null where it is not installed."""
        directory = paths.pack_directory(self.platform, pack) if paths.is_reference(pack) else None
        if directory is None:
            return {"pack": None, "git_status": None}
        manifest = pack_manifest.complete(load(directory / paths.MANIFEST), directory)
        return {"pack": manifest, "git_status": pack_download.git_status(directory)}
