"""Installing and removing packs on this host. Registering them is the API's part.

Everything is fetched and checked before anything is changed: a pack that does not fit, or whose requirements cannot be
installed, leaves what was there as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oslo_config import cfg

from st2common.content import (
    pack_checks,
    pack_download,
    pack_environment,
    pack_index,
    pack_manifest,
    pack_source,
    paths,
)
from st2common.content.errors import ContentError
from st2common.content.loader import load
from st2common.content.pack_source import InstallError

# Packs that one installation may consist of: dependencies of dependencies have to end somewhere.
_MAX_PACKS = 100

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    #: Install also what does not fit.
    force: bool = False
    skip_dependencies: bool = False
    verify_ssl: bool = True
    environments: bool = True


@dataclass
class Installed:
    """References of the packs, and what somebody should know."""

    packs: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Conflicts(InstallError):
    """Packs are installed in other versions than the new ones need."""

    def __init__(self, conflicts: Sequence[str]) -> None:
        super().__init__("; ".join(conflicts))
        self.conflicts = list(conflicts)


@dataclass(frozen=True)
class _Fetched:
    manifest: dict[str, Any]
    directory: Path


def install(config: cfg.ConfigOpts, wanted: Sequence[str], options: Options, tell: Tell) -> Installed:
    """Install packs with what they depend on, in the directory ``[content] system_packs_base_path``.

    ``wanted`` are what :func:`pack_source.find` takes; ``tell`` gets a line for each step.

    Raises:
        Conflicts: an installed pack has another version than a new one needs.
        InstallError: a pack cannot be got, is not valid, does not fit, or its requirements cannot be installed.
    """
    installed = Installed()
    with _staging(config) as staging:
        fetched = _fetch_all(config, wanted, options, staging, installed.warnings, tell)
        if options.environments:
            for ref, pack in fetched.items():
                if ref not in paths.SYSTEM_PACKS:
                    pack_environment.build(config, ref, pack.directory, tell)
        for ref, pack in fetched.items():
            _give_to_group(pack.directory, config.content.pack_group)
            _place(pack.directory, _root(config) / ref, staging / f"earlier-{ref}")
            tell(f"Pack {ref} {pack.manifest['version']} is in {_root(config) / ref}")
            installed.packs.append(ref)
    return installed


def delete(config: cfg.ConfigOpts, pack: str, tell: Tell, *, environment: bool = True) -> None:
    """Remove the files of a pack, and its virtual environment unless that is to stay.

    Raises:
        InstallError: the platform needs it, it is a part of the platform, or it is not there.
    """
    if pack in paths.PROTECTED_PACKS:
        raise InstallError(f'The platform cannot do without the pack "{pack}"')
    directory = paths.pack_directory(config, pack) if paths.is_reference(pack) else None
    if directory is None:
        raise InstallError(f'Pack "{pack}" is not installed')
    if directory.is_relative_to(paths.bundled_packs()):
        raise InstallError(f'The pack "{pack}" is a part of the platform')
    with _staging(config) as staging:
        try:
            # Within one file system it is gone at once, and never half there.
            directory.rename(staging / pack)
        except OSError:
            shutil.rmtree(directory)
    if environment:
        pack_environment.remove(config, pack)
    tell(f"Pack {pack} is removed from {directory}")


def _fetch_all(
    config: cfg.ConfigOpts, wanted: Sequence[str], options: Options, staging: Path, warnings: list[str], tell: Tell
) -> dict[str, _Fetched]:
    """{reference: pack} of what is wanted and what that needs, dependencies first."""
    index = pack_index.Once(config.content.index_url)
    fetched: dict[str, _Fetched] = {}
    conflicts: list[str] = []
    waiting = list(dict.fromkeys(wanted))
    while waiting:
        if len(fetched) == _MAX_PACKS:
            raise InstallError(f"More than {_MAX_PACKS} packs would be installed")
        source = pack_source.find(waiting.pop(0), index.get)
        tell(f"Getting {source}")
        pack = _fetch(source, staging / f"checkout-{len(list(staging.iterdir()))}", options)
        reference = pack.manifest["ref"]
        warnings += _check(pack.manifest, options)
        fetched = {reference: pack} | {ref: other for ref, other in fetched.items() if ref != reference}
        if not options.skip_dependencies:
            needed = pack_checks.dependencies(config, pack.manifest)
            conflicts += needed.conflicts
            waiting += [name for name in needed.missing if pack_source.name_of(name) not in fetched]
            waiting = list(dict.fromkeys(waiting))
    if conflicts and not options.force:
        raise Conflicts(conflicts)
    warnings += conflicts
    return fetched


def _fetch(source: pack_source.PackSource, target: Path, options: Options) -> _Fetched:
    pack_download.fetch(source, target, verify_ssl=options.verify_ssl)
    manifest = target / paths.MANIFEST
    if not manifest.is_file():
        raise InstallError(f"{source} is no pack: it has no {paths.MANIFEST}")
    try:
        return _Fetched(pack_manifest.complete(load(manifest), target), target)
    except ContentError as error:
        raise InstallError(f"{source}: {paths.MANIFEST}: {str(error).removeprefix(str(manifest))}") from error


def _check(manifest: dict[str, Any], options: Options) -> list[str]:
    """Warnings about what is installed although it does not fit."""
    if manifest["ref"] in paths.PROTECTED_PACKS:
        raise InstallError(f'"{manifest["ref"]}" is the name of a pack of the platform')
    objections = pack_checks.objections(manifest)
    if objections and not options.force:
        raise InstallError(" ".join(objections))
    return objections


def _place(new: Path, target: Path, earlier: Path) -> None:
    """Put the new pack in the place of the earlier one, if there is one."""
    if target.exists() or target.is_symlink():
        target.rename(earlier)
    try:
        new.rename(target)
    except OSError as error:
        if earlier.exists():
            earlier.rename(target)
        raise InstallError(f"{target} cannot be written: {error.strerror}") from error


def _give_to_group(directory: Path, group: str) -> None:
    """Owner and group may write everything, others read it; what is executable is so for all."""
    try:
        group_id = grp.getgrnam(group).gr_gid
    except KeyError:
        group_id = -1
    for parent, _, files in os.walk(directory):
        for path in [Path(parent), *(Path(parent, name) for name in files)]:
            if path.is_symlink():
                continue
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o775 if executable else 0o664)
            # Somebody who is not root can give files only to groups of their own.
            with contextlib.suppress(PermissionError):
                os.chown(path, -1, group_id)


def _root(config: cfg.ConfigOpts) -> Path:
    return Path(config.content.system_packs_base_path)


@contextlib.contextmanager
def _staging(config: cfg.ConfigOpts) -> Iterator[Path]:
    """A directory beside the packs, for one installation at a time. Its name cannot be that of a pack."""
    root = _root(config)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with tempfile.TemporaryDirectory(dir=root, prefix=".incoming-", ignore_cleanup_errors=True) as staging:
                yield Path(staging)
    except PermissionError as error:
        raise InstallError(f"{error.filename or root} cannot be written: {error.strerror}") from error
