"""Where a pack comes from: what people write to name one, and what that means."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from st2common.content.pack_index import PackIndex
from st2common.errors import St2Error

_SEPARATOR = "="
_FILE = "file://"
_GIT_URL = re.compile(r"(https?|ssh|git|git\+ssh)://|[\w.-]+@[\w.-]+:")
_SHORT = re.compile(r"[\w.-]+/[\w.-]+")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class InstallError(St2Error):
    """The pack cannot be installed."""


@dataclass(frozen=True)
class PackSource:
    """A directory or a git repository."""

    #: An absolute path, or an address for git.
    location: str
    #: Tag, branch, commit or version; None: what the repository shows by itself.
    revision: str | None

    @property
    def directory(self) -> Path | None:
        return Path(self.location) if self.location.startswith("/") else None

    def __str__(self) -> str:
        """For people: without a password."""
        return public(self.location) + (f" at {self.revision}" if self.revision else "")


def split(wanted: str) -> tuple[str, str | None]:
    """``demo=1.2.3`` -> ``("demo", "1.2.3")``. A directory may have the separator in its name."""
    wanted = wanted.strip()
    path = _path(wanted)
    if path is not None and path.exists():
        return wanted, None
    name, _, revision = wanted.partition(_SEPARATOR)
    return name.strip(), revision.strip() or None


def find(wanted: str, index: Callable[[], PackIndex]) -> PackSource:
    """The source of what somebody ``wanted``: a directory, an address for git, ``org/repo`` on GitHub, or a name in the
    index (which is read only for a name); each may end in ``=<revision>``.

    Raises:
        InstallError: it is none of these, or not there.
    """
    name, revision = split(wanted)
    # An option of git is no revision.
    if revision is not None and not re.fullmatch(r"[\w][\w./+-]*", revision):
        raise InstallError(f'"{revision}" is no name of a revision')
    path = _path(name)
    if path is not None:
        if not path.is_dir():
            raise InstallError(f"{path} is no directory")
        return PackSource(str(path.resolve()), revision)
    if _GIT_URL.match(name):
        return PackSource(name, revision)
    if _SHORT.fullmatch(name):
        return PackSource(f"https://github.com/{name}", revision)
    if not _NAME.fullmatch(name):
        raise InstallError(f'"{public(name)}" is no pack: give a name, a directory or the address of a git repository')
    return PackSource(_repository(name, index()), revision)


def name_of(wanted: str) -> str:
    """What a pack is probably called that somebody names so: ``.../stackstorm-demo.git`` -> ``demo``."""
    last = split(wanted)[0].rstrip("/").rpartition("/")[2].rpartition(":")[2]
    return last.removesuffix(".git").removeprefix("stackstorm-").removeprefix("st2-")


def public(location: str) -> str:
    """An address without the password in it."""
    if "://" not in location:
        return location
    parts = urlsplit(location)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _path(name: str) -> Path | None:
    if name.startswith(_FILE):
        return Path(unquote(name.removeprefix(_FILE)))
    return Path(name) if name.startswith("/") else None


def _repository(name: str, index: PackIndex) -> str:
    pack = index.packs.get(name)
    if pack is None:
        broken = [f"{status['url']}: {status['message']}" for status in index.status if status["error"]]
        reason = f" ({'; '.join(broken)})" if broken else ""
        raise InstallError(f'There is no pack "{name}" in the index{reason}')
    location = str(pack.get("repo_url") or "")
    if location.startswith(_FILE):
        return location.removeprefix(_FILE)
    if not _GIT_URL.match(location):
        raise InstallError(f'The index names no repository of pack "{name}" that git understands')
    return location
