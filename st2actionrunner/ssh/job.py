"""What the remote program is asked to do: one JSON document on its standard input, credentials included."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

SSH_PORT = 22


@dataclass(frozen=True)
class Credentials:
    #: Whose account; None: what the OpenSSH client configuration says, else ``default_username``.
    username: str | None
    default_username: str
    password: str | None
    #: Path or text of a private key.
    private_key: str | None
    passphrase: str | None
    #: Path of the key for those who give neither a password nor a key.
    default_key: str


@dataclass(frozen=True)
class ScriptCopy:
    """A script that is copied to each host before it runs there, and removed afterwards."""

    source: str
    #: Directory copied beside it as ``lib``, or None.
    lib: str | None
    #: Directory on the host; made for this run, and removed with all that is in it.
    directory: str


@dataclass(frozen=True)
class Job:
    #: As written by the user: ``host``, ``host:port``, ``[address]:port``. Each is a key of the result.
    hosts: tuple[str, ...]
    #: Text for the login shell of the account.
    command: str
    #: Whether ``command`` runs through sudo: ending it then needs sudo as well.
    sudo: bool
    #: The first line of the command's standard input, or None.
    sudo_password: str | None
    pty: bool
    credentials: Credentials
    port: int | None
    bastion_host: str | None
    #: Seconds for the command, on each host; None: no limit.
    timeout: float | None
    #: Seconds.
    connect_timeout: int
    #: Hosts at a time.
    parallel: int
    known_hosts_file: str
    trust_on_first_use: bool
    #: OpenSSH client configuration to follow, or None.
    config_file: str | None
    script: ScriptCopy | None
    result_path: str

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Job:
        fields: dict[str, Any] = json.loads(text)
        fields["hosts"] = tuple(fields["hosts"])
        fields["credentials"] = Credentials(**fields["credentials"])
        fields["script"] = ScriptCopy(**fields["script"]) if fields["script"] else None
        return cls(**fields)


def split_host(text: str) -> tuple[str, int | None]:
    """Name or address, and port if there is one, of ``host``, ``host:port``, ``[address]:port`` or an IPv6 address.

    Raises:
        ValueError: the port is not one.
    """
    name, separator, port = text, "", ""
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        separator, port = rest[:1], rest[1:]
    elif text.count(":") == 1:
        name, separator, port = text.partition(":")
    if not separator and name:
        return name, None
    if not name or separator != ":" or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f'"{text}" is not a host, nor a host and a port.')
    return name, int(port)
