"""Registering content that has a file for each object: all kinds but packs and their configurations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from st2common.content import overrides
from st2common.content.errors import ContentError
from st2common.content.loader import load
from st2common.content.report import PackContent, Report
from st2common.models.connection import Document

LOG = logging.getLogger(__name__)

# A directory of actions may hold this file, which is none.
_NO_ACTION = "config.yaml"


@dataclass(frozen=True)
class Kind:
    """Content of one object a file."""

    #: Also of the directory.
    name: str
    singular: str
    #: The metadata with what may be left out; raises ContentError.
    check: Callable[[Document], Document]
    save: Callable[[Document], object]
    remove_except: Callable[[str, Collection[str], Collection[str]], int]


def register_files(kind: Kind, content: PackContent, report: Report) -> None:
    """Register each metadata file of a kind, and forget what was registered and is gone."""
    pack, directory = content.reference, content.directory
    names: set[str] = set()
    broken: list[str] = []
    for path in _metadata_files(directory / kind.name):
        relative = str(path.relative_to(directory))
        broken.append(relative)
        with report.collecting(path):
            metadata = load(path)
            if metadata.setdefault("pack", pack) != pack:
                raise ContentError(f'pack: "{metadata["pack"]}" is not the pack that the file is in, "{pack}"')
            metadata = kind.check(metadata)
            if metadata["name"] in names:
                raise ContentError(f'name: the pack has another {kind.singular} "{metadata["name"]}"')
            if kind.name in overrides.KINDS and content.overrides.apply(kind.name, metadata):
                report.add(f"{kind.name}(overridden)", 1)
            kind.save({**metadata, "metadata_file": relative})
            names.add(metadata["name"])
            broken.pop()
    # What was registered from a file that is broken now stays until somebody mends it or takes it away.
    removed = kind.remove_except(pack, names, broken)
    report.add(kind.name, len(names))
    LOG.info("Pack %s: %d %s registered, %d removed, %d not valid", pack, len(names), kind.name, removed, len(broken))


def _metadata_files(directory: Path) -> list[Path]:
    found = (path for path in directory.glob("*") if path.suffix in (".yaml", ".yml") and path.name != _NO_ACTION)
    return sorted(path for path in found if path.is_file())
