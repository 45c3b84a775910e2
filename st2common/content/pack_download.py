"""Getting the files of a pack: a copy of a directory, or a clone of a git repository at one revision."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

from st2common.content import pack_size
from st2common.content.pack_source import InstallError, PackSource
from st2common.expressions import versions

# What git may speak. Others run programs of the address's choice.
_PROTOCOLS = "file:git:http:https:ssh"
# Of each file of a cloned repository nothing runs here; nobody is there to be asked for a password.
_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")


def fetch(source: PackSource, target: Path, *, verify_ssl: bool = True) -> None:
    """Put the pack's files into ``target``, which must not exist.

    Raises:
        InstallError: the source cannot be read, or has no such revision.
    """
    directory = source.directory
    if directory is None or _is_repository(directory):
        _clone(source, target, verify_ssl)
        return
    if source.revision:
        raise InstallError(f"{directory} is no git repository: it has no revision {source.revision}")
    try:
        pack_size.check(pack_size.in_directory(directory))
        shutil.copytree(directory, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    except (OSError, shutil.Error) as error:
        raise InstallError(f"{directory} cannot be copied: {error}") from error


def git_status(directory: Path) -> str | None:
    """What git says of an installed pack; None where it is no repository."""
    if not _is_repository(directory):
        return None
    about = _git(directory, "log", "-1", "--format=%H %D")
    remotes = _git(directory, "remote")
    return f"Status:\n\n{about}\n{_git(directory, 'status', '--short', '--branch')}\n\nRemotes:\n\n{remotes}\n"


def _is_repository(directory: Path) -> bool:
    """A working copy, or a bare repository."""
    return (directory / ".git").exists() or ((directory / "HEAD").is_file() and (directory / "objects").is_dir())


def _clone(source: PackSource, target: Path, verify_ssl: bool) -> None:
    options = [] if verify_ssl else ["-c", "http.sslVerify=false"]
    _git(target.parent, *options, "clone", "--quiet", "--no-checkout", "--", source.location, str(target))
    revision = _commit(target, source.revision) if source.revision else "HEAD"
    _check_size(target, revision)
    _git(target, "checkout", "--quiet", *(["--detach"] if source.revision else []), revision, "--")


def _check_size(repository: Path, revision: str) -> None:
    """Before the files are there.

    Raises:
        InstallError: they would be too many, or too large.
    """
    with _started(repository, "ls-tree", "-r", "-l", revision, "--") as listing:
        assert listing.stdout  # noqa: S101 - it is piped
        try:
            pack_size.check(pack_size.in_tree(listing.stdout))
        finally:
            listing.kill()


def _commit(repository: Path, revision: str) -> str:
    """The commit that is meant: a version is the tag with or without its ``v``, before any branch of that name."""
    names = [f"refs/tags/{revision}", f"refs/remotes/origin/{revision}", revision]
    if versions.PATTERN.match(revision):
        names.insert(0, f"refs/tags/v{revision}")
    for name in names:
        try:
            return _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except InstallError:
            continue
    tags = _git(repository, "tag", "--sort=-v:refname").split()[:20]
    has = f"; it has {', '.join(tags)}" if tags else ""
    raise InstallError(f'The repository has no tag, branch or commit "{revision}"{has}')


def _git(directory: Path, *arguments: str) -> str:
    with _started(directory, *arguments) as running:
        # The history of a repository comes as one file.
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (pack_size.MAX_BYTES, pack_size.MAX_BYTES))
        stdout, stderr = running.communicate()
    if running.returncode != 0:
        verb = next(word for word in arguments if not word.startswith("-") and "=" not in word)
        raise InstallError(f"git {verb} failed: {stderr.strip() or f'exit code {running.returncode}'}")
    return stdout.strip()


def _started(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {
        **without_secrets(os.environ),
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }
    try:
        return subprocess.Popen(
            [*_GIT, *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise InstallError(f"git could not be run: {error.strerror}") from error


def without_secrets(environment: os._Environ[str]) -> dict[str, str]:
    """What programs of others may know of ours: no tokens of the platform, and no import path of its modules."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("ST2_") and name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
