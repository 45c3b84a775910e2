"""A script on its way to a host, and away from it again."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import paramiko

from st2actionrunner.ssh.job import ScriptCopy

# Of the user who runs the script, and nobody else's to read.
_MODE = 0o700


@contextlib.contextmanager
def copied(client: paramiko.SSHClient, script: ScriptCopy, timeout: float) -> Iterator[list[str]]:
    """Have ``script`` on the host during the block.

    Gives a list to which, after the block, what could not be removed is added. ``timeout``: seconds that the host may
    take for one step.

    Raises:
        OSError: it could not be copied.
        paramiko.SSHException: the host does not serve files.
    """
    left: list[str] = []
    with contextlib.closing(client.open_sftp()) as sftp:
        channel = sftp.get_channel()
        if channel is not None:
            channel.settimeout(timeout)
        directory = PurePosixPath(script.directory)
        sftp.mkdir(str(directory), _MODE)
        try:
            _copy(sftp, Path(script.source), directory / Path(script.source).name)
            if script.lib:
                _copy(sftp, Path(script.lib), directory / "lib")
            yield left
        finally:
            try:
                _remove(sftp, directory)
            except (OSError, EOFError, paramiko.SSHException) as error:
                left.append(f"{directory} was not removed: {error}")


def _copy(sftp: paramiko.SFTPClient, source: Path, target: PurePosixPath) -> None:
    if source.is_dir():
        sftp.mkdir(str(target), _MODE)
        for entry in sorted(source.iterdir()):
            if entry.name != "__pycache__":
                _copy(sftp, entry, target / entry.name)
    elif source.is_file():
        sftp.put(str(source), str(target))
        sftp.chmod(str(target), _MODE)


def _remove(sftp: paramiko.SFTPClient, directory: PurePosixPath) -> None:
    for entry in sftp.listdir_attr(str(directory)):
        path = directory / entry.filename
        if stat.S_ISDIR(entry.st_mode or 0):
            _remove(sftp, path)
        else:
            sftp.remove(str(path))
    sftp.rmdir(str(directory))
