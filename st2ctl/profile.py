"""The development profile: a configuration for this user and this directory, with servers of its own."""

from __future__ import annotations

import contextlib
import getpass
import random
import secrets
import socket
from pathlib import Path

# Below those from which systems take ports for outgoing connections: one of these could have it at the next start.
_LASTING_PORTS = range(10_000, 32_000)

_TEMPLATE = """\
# Written by st2ctl for user {user}: everything of this platform is in this directory and on loopback.
# Change what you like; it is written again only when it is missing.

[system]
base_path = {var}
state_path = {var}

[system_user]
# The user that actions run as. Its own user needs no sudo.
user = {user}
ssh_key_file = {home}/.ssh/id_rsa

[actionrunner]
stream_output = True

[api]
host = 127.0.0.1
port = {api}

[stream]
host = 127.0.0.1
port = {stream}

[auth]
# To turn it on: htpasswd -B -C 12 -c {var}/htpasswd <user>, then "enable = True", then restart.
enable = False
port = {auth}
backend_kwargs = {{"file_path": "{var}/htpasswd"}}

[content]
# Packs of your own go here; those of the platform are found without it.
system_packs_base_path = {var}/packs

[database]
# The embedded database of this directory.
host = 127.0.0.1
port = {database}
db_name = st2

[messaging]
# The private broker of this directory; the standalone mode does without one.
url = amqp://guest:guest@127.0.0.1:{broker}//
"""


def write_conf(conf: Path) -> None:
    """Write a configuration whose ports are free now: the usual ones of the services where they are."""
    var = conf.parent
    var.mkdir(parents=True, exist_ok=True, mode=0o700)
    api, stream, auth, database, broker = pick_ports(9101, 9102, 9100, None, None)
    text = _TEMPLATE.format(
        user=getpass.getuser(),
        var=var,
        home=Path.home(),
        api=api,
        stream=stream,
        auth=auth,
        database=database,
        broker=broker,
    )
    partial = conf.with_name(f"{conf.name}.{secrets.token_hex(4)}")
    partial.write_text(text)
    partial.replace(conf)


def pick_ports(*wanted: int | None) -> list[int]:
    """A free port of 127.0.0.1 for each wanted one: itself where it is free, else any that is likely to stay so."""
    with contextlib.ExitStack() as held:
        # Held together while they are picked, so that they differ.
        return [held.enter_context(_bound(port)).getsockname()[1] for port in wanted]


def port_is_free(host: str, port: int) -> bool:
    try:
        _listener(host, port).close()
    except OSError:
        return False
    return True


def _bound(port: int | None) -> socket.socket:
    if port is not None and port_is_free("127.0.0.1", port):
        return _listener("127.0.0.1", port)
    for candidate in random.sample(_LASTING_PORTS, 100):
        free = socket.socket()
        try:
            free.bind(("127.0.0.1", candidate))
        except OSError:
            free.close()
        else:
            return free
    return _listener("127.0.0.1", 0)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port whose last connections are still winding down counts as free, as it does for the servers.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
