"""The daemons of this host as units of systemd, where those are installed (``conf/systemd``)."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from st2common.config.loading import DEFAULT_FILE
from st2ctl.daemons import COMPONENTS, START_TIMEOUT
from st2ctl.installation import CommandError, Installation

# There while systemd is what runs this host.
_BOOTED = Path("/run/systemd/system")


def manage(installation: Installation) -> bool:
    """Whether systemd runs the daemons of this installation: the units are about ``/etc/st2/st2.conf``."""
    return installation.conf == DEFAULT_FILE and not installation.development and _installed()


@functools.cache
def _installed() -> bool:
    return _BOOTED.is_dir() and shutil.which("systemctl") is not None and _systemctl("cat", "st2.target") == 0


def enabled() -> list[str]:
    """The components that start with this host."""
    return [name for name in COMPONENTS if _systemctl("is-enabled", "--quiet", f"{name}.service") == 0]


def start(names: Sequence[str]) -> None:
    """Start those that do not run and wait until each is ready.

    Raises:
        CommandError: one failed, or was not ready in time; it goes on trying.
    """
    _change("start", names)


def restart(names: Sequence[str]) -> None:
    """
    Raises:
        CommandError: as for :func:`start`.
    """
    _change("restart", names)


def stop(names: Sequence[str]) -> None:
    """
    Raises:
        CommandError: systemd refuses.
    """
    # Those that are not installed cannot be stopped, and need not be.
    _change("stop", [name for name in names if _systemctl("cat", f"{name}.service") == 0])


def _change(verb: str, names: Sequence[str]) -> None:
    units = [f"{name}.service" for name in names]
    if not units:
        return
    try:
        done = subprocess.run(
            ["systemctl", verb, *units], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"not all are ready after {START_TIMEOUT:.0f} s. What they say: {_look(units)}") from None
    if done.returncode != 0:
        raise CommandError(f"systemctl {verb} failed: {done.stderr.strip()}\nWhat the daemons say: {_look(units)}")


def _look(units: Sequence[str]) -> str:
    """The command that shows what those say that are not up."""
    away = [unit for unit in units if _systemctl("is-active", "--quiet", unit) != 0] or units
    return f"journalctl -n 20 {' '.join(f'-u {unit}' for unit in away)}"


def _systemctl(*arguments: str) -> int:
    return subprocess.run(
        ["systemctl", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode
