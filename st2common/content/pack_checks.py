"""Whether a pack fits this platform, and what other packs it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from st2common import STACKSTORM_VERSION
from st2common.content import pack_source, paths
from st2common.content.errors import ContentError
from st2common.content.loader import load
from st2common.expressions import versions

# Major version of the Python that packs run on.
_PYTHON = "3"


@dataclass(frozen=True)
class Dependencies:
    """What is missing, as it can be installed, and what is there in another version than asked for."""

    missing: Sequence[str]
    conflicts: Sequence[str]


def objections(manifest: Mapping[str, Any]) -> list[str]:
    """Why the pack does not fit, a sentence for each reason."""
    found = []
    wanted = manifest.get("stackstorm_version")
    if wanted:
        try:
            if not versions.match(STACKSTORM_VERSION, wanted):
                here = f"this is version {STACKSTORM_VERSION}"
                found.append(f'Pack "{manifest["ref"]}" requires StackStorm "{wanted}", but {here}.')
        except ValueError as error:
            found.append(f'Pack "{manifest["ref"]}": stackstorm_version: {error}.')
    pythons = manifest.get("python_versions")
    if pythons and _PYTHON not in pythons:
        found.append(f'Pack "{manifest["ref"]}" runs on Python {", ".join(pythons)} only; this is Python {_PYTHON}.')
    return found


def dependencies(config: cfg.ConfigOpts, manifest: Mapping[str, Any]) -> Dependencies:
    """The packs that this one names, each with or without a version, compared with those that are installed."""
    missing, conflicts = [], []
    for wanted in manifest.get("dependencies") or []:
        name, version = pack_source.name_of(wanted), pack_source.split(wanted)[1]
        installed = installed_version(config, name)
        if installed is None:
            missing.append(wanted)
        elif version and versions.PATTERN.match(version.removeprefix("v")) and version.removeprefix("v") != installed:
            conflicts.append(f'{name}={version} is needed by "{manifest["ref"]}", and {installed} is installed')
    return Dependencies(missing, conflicts)


def installed_version(config: cfg.ConfigOpts, pack: str) -> str | None:
    """The version of a pack that is here; None where there is none, or no valid one."""
    directory = paths.pack_directory(config, pack) if paths.is_reference(pack) else None
    if directory is None:
        return None
    try:
        return str(load(directory / paths.MANIFEST).get("version"))
    except ContentError:
        return None
