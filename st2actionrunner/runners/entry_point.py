"""The file that an action runs: in its pack, or in a git worktree of the revision that the run asks for."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from pathlib import Path

from st2actionrunner.launch import RunnerError, RunRequest

LOG = logging.getLogger(__name__)

# Seconds for one git command.
_GIT_TIMEOUT = 60


def entry_point(run: RunRequest) -> Path:
    """Where the file of the action lies, in the worktree if the run names a revision.

    Raises:
        RunnerError: the action has none, it lies outside the pack, or it is not there.
    """
    path, pack = run.entry_point, run.pack_path
    if pack is None:
        raise RunnerError(f'The pack "{run.action["pack"]}" is not on this host.')
    if path is None:
        raise RunnerError(f'The action "{run.action.get("ref")}" has no entry point.')
    # As written, not as resolved: a pack may well link to a file elsewhere, but ".." in metadata is a mistake or worse.
    inside = Path(os.path.normpath(path))
    if not inside.is_relative_to(os.path.normpath(pack)):
        raise RunnerError(f'The entry point "{path}" lies outside the pack directory "{pack}".')
    revision = run.runner_parameters.get("content_version")
    if revision:
        inside = _check_out(run, pack, revision) / inside.relative_to(os.path.normpath(pack))
    if not inside.is_file():
        raise RunnerError(f'The entry point "{inside}" does not exist or is not a file.')
    return inside


def release(run: RunRequest) -> None:
    """Remove the worktree of this run, if it has one. A failure is logged: the action itself has ended well or not."""
    if not run.runner_parameters.get("content_version") or run.pack_path is None:
        return
    worktree = _worktree(run)
    if worktree.exists():
        try:
            _git(run.pack_path, "worktree", "remove", "--force", str(worktree))
        except RunnerError as error:
            LOG.warning("The worktree %s stays: %s", worktree, error)


def _worktree(run: RunRequest) -> Path:
    # Not below the run's directory: that is closed to the user whom a shell action runs as.
    return Path(f"/tmp/st2-git-worktree-{run.execution_id}.{run.attempt}")  # noqa: S108


def _check_out(run: RunRequest, pack: Path, revision: str) -> Path:
    """A worktree of ``revision``; the directory in it that corresponds to the pack."""
    commit = _git(pack, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    prefix = _git(pack, "rev-parse", "--show-prefix")
    worktree = _worktree(run)
    try:
        # Ours alone, made by us: git would also take an empty directory that somebody else has put there.
        worktree.mkdir(mode=0o755)
    except OSError as error:
        raise RunnerError(f'Cannot create the git worktree "{worktree}": {error}.') from error
    # What an earlier run on a lost host left is only a name in the repository now.
    _git(pack, "worktree", "prune")
    try:
        _git(pack, "worktree", "add", "--detach", "--force", str(worktree), commit)
    except RunnerError:
        shutil.rmtree(worktree, ignore_errors=True)
        raise
    return worktree / prefix


def _git(directory: Path, *arguments: str) -> str:
    # A repository must not run programs of its own here; it may belong to the user who installs packs.
    options = ("-c", "core.hooksPath=/dev/null", "-c", f"safe.directory={directory.resolve()}")
    try:
        done = subprocess.run(
            ["git", *options, *arguments],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunnerError(f"content_version: git could not be run: {error}.") from error
    if done.returncode != 0:
        raise RunnerError(f'content_version: "git {arguments[0]}" failed in {directory}: {done.stderr.strip()}')
    return done.stdout.strip()
