"""The virtual environments of packs: what their ``requirements.txt`` asks for, beside the platform's own modules."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from oslo_config import cfg

from st2common.content.pack_download import without_secrets
from st2common.content.pack_source import InstallError

#: What every pack may count on.
BASE_REQUIREMENTS = ("six",)

_REQUIREMENTS = "requirements.txt"

Tell = Callable[[str], None]


def location(config: cfg.ConfigOpts, pack: str) -> Path:
    return Path(config.system.base_path) / "virtualenvs" / pack


def build(config: cfg.ConfigOpts, pack: str, directory: Path, tell: Tell, *, update: bool = False) -> None:
    """Make the virtual environment of the pack whose files lie in ``directory``. What pip says goes to our own standard
    output, line by line.

    With ``update`` one that is there is kept and brought up to date; otherwise it is made anew, and when that fails
    the earlier one stays.

    Raises:
        InstallError: it could not be made.
    """
    target = location(config, pack)
    if update and (target / "bin" / "python").exists():
        tell(f"Updating the virtual environment of pack {pack} in {target}")
        _install_requirements(config, target, directory, upgrade=True)
        return
    tell(f"Making a virtual environment for pack {pack} in {target}")
    target.parent.mkdir(parents=True, exist_ok=True)
    earlier = target.with_name(f".{pack}.{secrets.token_hex(4)}") if target.exists() else None
    if earlier:
        target.rename(earlier)
    try:
        _run([config.actionrunner.python_binary, "-m", "venv", str(target)], directory)
        _install_requirements(config, target, directory)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        if earlier:
            earlier.rename(target)
        raise
    if earlier:
        shutil.rmtree(earlier, ignore_errors=True)
    tell(f"The virtual environment of pack {pack} is ready")


def works(config: cfg.ConfigOpts, pack: str) -> bool:
    """Whether the virtual environment of the pack is there, and the Python that it was made with still is."""
    python = location(config, pack) / "bin" / "python"
    try:
        return subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def remove(config: cfg.ConfigOpts, pack: str) -> None:
    """
    Raises:
        InstallError: it is there and cannot be removed.
    """
    target = location(config, pack)
    try:
        if target.exists():
            shutil.rmtree(target)
    except OSError as error:
        raise InstallError(f"{target} cannot be removed: {error}") from error


def _install_requirements(config: cfg.ConfigOpts, target: Path, directory: Path, *, upgrade: bool = False) -> None:
    pip = [str(target / "bin" / "python"), "-m", "pip", "install"]
    pip += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    pip += ["--upgrade"] if upgrade else []
    own = ["-r", _REQUIREMENTS] if (directory / _REQUIREMENTS).is_file() else []
    _run([*pip, *config.actionrunner.pip_opts, *BASE_REQUIREMENTS, *own], directory)


def _run(command: Sequence[str], directory: Path) -> None:
    try:
        # In the order in which they are printed: warnings of pip belong to the lines around them.
        done = subprocess.run(
            command,
            cwd=directory,
            env=without_secrets(os.environ),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise InstallError(f"{command[0]} could not be run: {error.strerror}") from error
    if done.returncode != 0:
        raise InstallError(f"{' '.join(command[:4])} failed with exit code {done.returncode}")
