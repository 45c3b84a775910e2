"""Where packs lie: the roots that the configuration names, and the packs that come with the platform."""

from __future__ import annotations

import re
from pathlib import Path

from oslo_config import cfg

MANIFEST = "pack.yaml"

#: Packs that run on the platform's own Python: they are part of it, or have no requirements of their own.
SYSTEM_PACKS = frozenset({"core", "packs", "linux", "chatops", "examples", "default"})

#: Packs that nobody may install, replace or remove: the platform and its clients need them.
PROTECTED_PACKS = frozenset({"core", "packs"})

_REFERENCE = re.compile(r"[a-z0-9_]+")


def is_reference(text: str) -> bool:
    """Whether a pack may be called so. No such text leads out of a directory."""
    return _REFERENCE.fullmatch(text) is not None


def bundled_packs() -> Path:
    """The directory of the packs that are part of the platform, wherever it is installed."""
    return (Path(__file__).parent.parent / "packs").resolve()


def roots(config: cfg.ConfigOpts) -> list[Path]:
    """Directories of packs in the order in which a pack is looked for: the first that has it wins."""
    more = (config.content.packs_base_paths or "").split(":")
    named = [config.content.system_packs_base_path, *(path.strip() for path in more if path.strip())]
    return list(dict.fromkeys([*(Path(path) for path in named), bundled_packs()]))


def packs(config: cfg.ConfigOpts) -> dict[str, Path]:
    """{directory name: directory} of every pack there is, by name."""
    found: dict[str, Path] = {}
    for root in roots(config):
        for manifest in sorted(root.glob(f"*/{MANIFEST}")):
            found.setdefault(manifest.parent.name, manifest.parent)
    return dict(sorted(found.items()))


def pack_directory(config: cfg.ConfigOpts, pack: str) -> Path | None:
    """Where the pack lies, or None where no root has it."""
    for root in roots(config):
        if (root / pack / MANIFEST).is_file():
            return root / pack
    return None
