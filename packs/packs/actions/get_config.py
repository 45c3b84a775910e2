from __future__ import annotations

from typing import Any

from st2common.content import pack_config, paths
from st2common.content.loader import load
from st2common.runners.pack_action import PackAction


class GetConfig(PackAction):
    def run(self, pack: str) -> dict[str, Any]:
        """{item: schema}; nothing for a pack that has no schema or is not installed."""
        directory = paths.pack_directory(self.platform, pack) if paths.is_reference(pack) else None
        path = directory / pack_config.SCHEMA_FILE if directory else None
        return load(path) if path and path.exists() else {}
