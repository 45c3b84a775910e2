"""Whom we talk to: a host is known by its key, or refused."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import paramiko

# Of the host's administrator, for every user.
SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")


class HostKeyRefused(paramiko.SSHException):
    """The host showed a key that nobody vouches for."""


class RefuseUnknown(paramiko.MissingHostKeyPolicy):
    """The default: a host without a known key is not talked to."""

    def __init__(self, known_hosts: Path) -> None:
        self._known_hosts = known_hosts

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise HostKeyRefused(
            f'The host key of "{hostname}" is not known ({describe(key)}). Check it, then add it to '
            f"{self._known_hosts}, or set trust_on_first_use = True in [ssh_runner]."
        )


class TrustOnFirstUse(paramiko.MissingHostKeyPolicy):
    """Opt-in: the first key that a host shows is stored, and from then on the only one."""

    def __init__(self, known_hosts: Path) -> None:
        self._known_hosts = known_hosts

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        self._known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._known_hosts, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(descriptor, "r+b", buffering=0) as file:
            # Others, in this process and elsewhere, may be meeting the same host: only one of them is the first.
            fcntl.flock(file, fcntl.LOCK_EX)
            stored = paramiko.HostKeys(str(self._known_hosts)).lookup(hostname)
            if stored is None:
                file.write(_line(hostname, key, after=file.read()))
            elif key.get_name() not in stored or stored[key.get_name()] != key:
                raise HostKeyRefused(f'The host key of "{hostname}" ({describe(key)}) is not the one seen before.')


def _line(hostname: str, key: paramiko.PKey, after: bytes) -> bytes:
    """The entry for ``key``; on a line of its own, also behind a file that does not end with one."""
    start = "\n" if after and not after.endswith(b"\n") else ""
    return f"{start}{hostname} {key.get_name()} {key.get_base64()}\n".encode()


def describe(key: paramiko.PKey) -> str:
    """Type and fingerprint of ``key``, as OpenSSH shows them."""
    return f"{key.get_name()} {key.fingerprint}"


def apply(client: paramiko.SSHClient, known_hosts_file: str, trust_on_first_use: bool) -> None:
    """Make ``client`` accept only known hosts.

    Raises:
        OSError: a file of known hosts cannot be read.
    """
    known_hosts = Path(known_hosts_file).expanduser()
    for file in (SYSTEM_KNOWN_HOSTS, known_hosts):
        if file.exists():
            client.load_system_host_keys(str(file))
    client.set_missing_host_key_policy((TrustOnFirstUse if trust_on_first_use else RefuseUnknown)(known_hosts))
