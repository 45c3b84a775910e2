"""Where the Python code of a pack runs: its interpreter, its import path and what it inherits of our environment."""

from __future__ import annotations

import os
import re
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import st2common
from st2common.content.paths import SYSTEM_PACKS

# The platform's own: options with credentials in them, and what only the daemon may tell its service manager.
_PRIVATE = re.compile(r"ST2_[A-Z0-9_]+__|NOTIFY_SOCKET$|WATCHDOG_(PID|USEC)$|LISTEN_(FDS|PID|FDNAMES)$")


class NoVirtualenv(Exception):
    """The pack needs a virtual environment and has none; the text says how to make it."""


def virtualenv_of(virtualenvs: Path, pack: str) -> Path | None:
    """The virtual environment of ``pack`` below ``virtualenvs``, or None for a pack that runs on the platform's Python.

    Raises:
        NoVirtualenv: it has not been made yet.
    """
    if pack in SYSTEM_PACKS:
        return None
    virtualenv = virtualenvs / pack
    if not (virtualenv / "bin" / "python").exists():
        raise NoVirtualenv(
            f'The pack "{pack}" has no virtual environment ({virtualenv}). '
            f"Create it with: st2 run packs.setup_virtualenv packs={pack}"
        )
    return virtualenv


def site_packages(virtualenv: Path) -> Path | None:
    return next(iter(sorted(virtualenv.glob("lib/python3.*/site-packages"))), None)


def platform_path() -> tuple[str, ...]:
    """Where the platform's packages and their dependencies lie, each directory once."""
    packages = str(Path(st2common.__file__).parent.parent)
    return tuple(dict.fromkeys((packages, sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))))


def import_path(
    virtualenv: Path | None, common: Path | None, own: Path | None, inherited: str, platform: Sequence[str]
) -> tuple[str, ...]:
    """PYTHONPATH: the pack before the platform, so that a pack's own version of a library wins.

    ``common`` and ``own``: directories of modules of the pack, for all of its code and for some of it. ``inherited``:
    our own PYTHONPATH.
    """
    packages = site_packages(virtualenv) if virtualenv else None
    environment = [packages.parent, packages] if packages else []
    path = [str(each) for each in (common, *environment, own) if each]
    return tuple(dict.fromkeys([*path, *(entry for entry in inherited.split(os.pathsep) if entry), *platform]))


def public_part(environment: Mapping[str, str]) -> dict[str, str]:
    """What the code of packs may inherit of our own environment."""
    return {name: value for name, value in environment.items() if not _PRIVATE.match(name)}


def in_virtualenv(environment: Mapping[str, str], virtualenv: Path | None) -> dict[str, str]:
    """``environment`` as it is after the virtual environment's activation."""
    if virtualenv is None:
        return dict(environment)
    path = f"{virtualenv / 'bin'}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return {**environment, "PATH": path, "VIRTUAL_ENV": str(virtualenv)}
