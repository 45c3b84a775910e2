"""Writing and removing files of an installed pack on behalf of somebody who uses the API."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from oslo_config import cfg

from st2common.content import paths
from st2common.errors import AccessDenied, ValidationError

#: The pack that content goes to which names none.
DEFAULT_PACK = "default"

_ACTIONS = "actions"


def actions_directory(config: cfg.ConfigOpts, pack: str) -> Path:
    """Where the actions of a pack lie.

    Raises:
        ValidationError: there is no such pack, or it has no directory of actions.
    """
    directory = paths.pack_directory(config, pack) if paths.is_reference(pack) else None
    if directory is None or not (directory / _ACTIONS).is_dir():
        raise ValidationError(f'Content pack "{pack}" is not found or doesn\'t contain actions directory.')
    return directory / _ACTIONS


def writable_actions_directory(config: cfg.ConfigOpts, pack: str) -> Path:
    """The same, for writing. The pack ``default`` is copied out of the platform first, if it is still there.

    Raises:
        AccessDenied: the pack is a part of the platform.
        ValidationError: as :func:`actions_directory`.
    """
    directory = actions_directory(config, pack)
    if not directory.is_relative_to(paths.bundled_packs()):
        return directory
    if pack != DEFAULT_PACK:
        raise AccessDenied(f'The files of pack "{pack}" are a part of the platform.')
    own = Path(config.content.system_packs_base_path) / pack
    own.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(directory.parent, own, dirs_exist_ok=True)
    return own / _ACTIONS


def inside(directory: Path, file_path: str) -> Path:
    """The file that ``file_path``, relative to ``directory`` or absolute, names in it.

    Raises:
        ValidationError: it lies elsewhere, by its name or through a link.
    """
    root = directory.resolve()
    try:
        path = (root / file_path).resolve()
    except (OSError, ValueError, RuntimeError):  # too long, not text of a path, links that lead in a circle
        path = root
    if path == root or not path.is_relative_to(root):
        raise ValidationError(f'The path "{file_path}" is not inside the directory "{directory}".')
    return path


def write(files: Iterable[tuple[Path, str]]) -> None:
    """Each file is replaced as a whole.

    Raises:
        AccessDenied: a file cannot be written.
    """
    for path, content in files:
        temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(content, encoding="utf-8")
            # New files are as readable as their directory, scripts as executable as they were.
            temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o664)
            temporary.replace(path)
        except OSError as error:
            raise AccessDenied(f'The file "{path}" cannot be written: {error.strerror or error}') from error
        finally:
            temporary.unlink(missing_ok=True)


def remove(files: Iterable[Path]) -> None:
    """Files that are not there are as good as removed.

    Raises:
        AccessDenied: a file cannot be removed.
    """
    for path in files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise AccessDenied(f'The file "{path}" cannot be removed: {error.strerror or error}') from error


def copy(source: Path, target: Path) -> None:
    """Copy a file with its mode, in place of what is there.

    Raises:
        AccessDenied: it cannot be read or written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    except OSError as error:
        name = os.fspath(error.filename or target)
        raise AccessDenied(f'The file "{name}" cannot be copied: {error.strerror or error}') from error
