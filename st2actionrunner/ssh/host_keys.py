"""Whom we talk to: a host is known by its key, or refused.

Files of known hosts have OpenSSH's format: plain and hashed names, ``[name]:port``, patterns, ``@revoked``. Lines of
``@cert-authority`` are skipped: host certificates are not checked.
"""

from __future__ import annotations

import fcntl
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import paramiko
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from st2actionrunner.ssh.job import SSH_PORT

# Of the host's administrator, for every user.
SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")


class HostKeyRefused(paramiko.SSHException):
    """The host showed a key that nobody vouches for."""


class _Known(NamedTuple):
    keys: list[paramiko.PKey]
    #: Base64 of keys that no host may show.
    revoked: set[str]


class _Policy(paramiko.MissingHostKeyPolicy):
    """What to do with a host for which no key is known."""

    def __init__(self, known_hosts: Path, revoked: set[str], trust_on_first_use: bool) -> None:
        self._known_hosts = known_hosts
        self._revoked = revoked
        self._trust = trust_on_first_use

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if key.get_base64() in self._revoked:
            raise HostKeyRefused(f'The host key of "{hostname}" has been revoked ({describe(key)}).')
        if not self._trust:
            raise HostKeyRefused(
                f'The host key of "{hostname}" is not known ({describe(key)}). Check it, then add it to '
                f"{self._known_hosts}, or set trust_on_first_use = True in [ssh_runner]."
            )
        _store(self._known_hosts, hostname, key)


def describe(key: paramiko.PKey) -> str:
    """Type and fingerprint of ``key``, as OpenSSH shows them."""
    return f"{key.get_name()} {key.fingerprint}"


def apply(
    client: paramiko.SSHClient, hostname: str, port: int, known_hosts_file: str, trust_on_first_use: bool
) -> None:
    """Let ``client`` connect to nobody but the one known as ``hostname``, or, if that is wanted, one not known yet.

    Raises:
        OSError: a file of known hosts cannot be read.
        HostKeyRefused: what stands in it are no host keys.
    """
    known_hosts = Path(known_hosts_file).expanduser()
    name = hostname if port == SSH_PORT else f"[{hostname}]:{port}"
    files = [_read(file, name) for file in (SYSTEM_KNOWN_HOSTS, known_hosts)]
    revoked = files[0].revoked | files[1].revoked
    for key in (*files[0].keys, *files[1].keys):
        if key.get_base64() not in revoked:
            client.get_host_keys().add(name, key.get_name(), key)
    client.set_missing_host_key_policy(_Policy(known_hosts, revoked, trust_on_first_use))


def _store(known_hosts: Path, name: str, key: paramiko.PKey) -> None:
    """From here on ``key`` is the one of the host."""
    known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(known_hosts, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with open(descriptor, "r+b", buffering=0) as file:
        # Others, in this process and elsewhere, may be meeting the same host: only one of them is the first.
        fcntl.flock(file, fcntl.LOCK_EX)
        known = _read(known_hosts, name)
        if not known.keys:
            before = file.read()
            # The file may not end with a line break.
            start = "\n" if before and not before.endswith(b"\n") else ""
            file.write(f"{start}{name} {key.get_name()} {key.get_base64()}\n".encode())
        elif key not in known.keys:
            raise HostKeyRefused(f'The host key of "{name}" ({describe(key)}) is not the one seen before.')


def _read(file: Path, name: str) -> _Known:
    """The keys of host ``name`` in ``file``, and the revoked ones of any host."""
    known = _Known([], set())
    if not file.exists():
        return known
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if fields[0] == "@revoked":
            known.revoked.update(fields[3:4])
        elif not fields[0].startswith("@") and _names(fields[0], name) and (key := _key(file, number, fields)):
            known.keys.append(key)
    return known


def _names(patterns: str, name: str) -> bool:
    """Whether the first field of a line means the host ``name``."""
    found = False
    for pattern in patterns.split(","):
        if pattern.startswith("|1|"):
            found = found or paramiko.HostKeys.hash_host(name, pattern) == pattern
        elif fnmatchcase(name.lower(), pattern.removeprefix("!").lower().replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _key(file: Path, number: int, fields: list[str]) -> paramiko.PKey | None:
    """The key of a line; None for a type that is not supported."""
    try:
        entry = HostKeyEntry.from_line(" ".join(fields), number)
    except (InvalidHostKey, paramiko.SSHException, ValueError) as error:
        # Not to be skipped: it is the line that says who this host is.
        raise HostKeyRefused(f"{file}, line {number}: this is no host key ({error}).") from error
    return entry.key if entry else None
