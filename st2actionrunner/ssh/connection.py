"""A connection to one host, through a bastion host where one is named."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from st2actionrunner.ssh import host_keys, private_keys
from st2actionrunner.ssh.job import SSH_PORT, Job, split_host

# Seconds between two signs of life, and after which an unanswered one ends the connection: a host that was cut off
# says nothing at all.
_KEEPALIVE = 20
_UNANSWERED = 60


class ConnectFailed(Exception):
    """No connection, no login, or not the right host; the message names the host and says why."""


@dataclass(frozen=True)
class _Target:
    hostname: str
    port: int
    username: str
    bastion: str | None
    #: Paths of private keys that the OpenSSH configuration names for this host.
    identities: tuple[str, ...]


class Connector:
    """Connects to the hosts of one job, all with the same credentials."""

    def __init__(self, job: Job) -> None:
        """Raises:
        UnusableKey: of the private key that all hosts share.
        OSError: the OpenSSH configuration cannot be read.
        """
        self._job = job
        self._config = paramiko.SSHConfig()
        if job.config_file:
            self._config = paramiko.SSHConfig.from_path(str(Path(job.config_file).expanduser()))
        self._key = self._shared_key()

    @contextlib.contextmanager
    def connect(self, host: str) -> Iterator[paramiko.SSHClient]:
        """A client that has logged in on ``host``; closed at the end of the block.

        Raises:
            ConnectFailed
        """
        with contextlib.ExitStack() as stack:
            target = self._target(host)
            bastion: paramiko.SSHClient | None = None
            if target.bastion:
                bastion = self._open(self._target(target.bastion), None, stack)
            yield self._open(target, bastion, stack)

    def _shared_key(self) -> paramiko.PKey | None:
        given = self._job.credentials
        if given.private_key:
            return private_keys.load(given.private_key, given.passphrase)
        # The default key is there for those who give nothing; a host of the OpenSSH configuration may have its own.
        if given.password or (self._job.config_file and not Path(given.default_key).expanduser().exists()):
            return None
        return private_keys.load(given.default_key, given.passphrase)

    def _target(self, host: str) -> _Target:
        name, port = split_host(host)
        configured: dict[str, Any] = dict(self._config.lookup(name)) if self._job.config_file else {}
        given = self._job.credentials
        return _Target(
            hostname=configured.get("hostname", name),
            port=port or self._job.port or int(configured.get("port", SSH_PORT)),
            username=given.username or configured.get("user") or given.default_username,
            bastion=self._job.bastion_host if host != self._job.bastion_host else None,
            identities=tuple(configured.get("identityfile", ())),
        )

    def _open(
        self, target: _Target, bastion: paramiko.SSHClient | None, stack: contextlib.ExitStack
    ) -> paramiko.SSHClient:
        where = f"{target.hostname}:{target.port}"
        try:
            way = _through(bastion, target, self._job.connect_timeout) if bastion else self._dial(target)
            stack.callback(way.close)
            client = stack.enter_context(contextlib.closing(paramiko.SSHClient()))
            host_keys.apply(
                client, target.hostname, target.port, self._job.known_hosts_file, self._job.trust_on_first_use
            )
            self._log_in(client, target, way)
        except host_keys.HostKeyRefused as error:
            raise ConnectFailed(str(error)) from error
        except paramiko.BadHostKeyException as error:
            shown, known = host_keys.describe(error.key), host_keys.describe(error.expected_key)
            raise ConnectFailed(
                f"The host key of {where} has changed, or somebody else answers: it shows {shown}, known is {known}."
            ) from error
        except paramiko.AuthenticationException as error:
            raise ConnectFailed(f'Login as "{target.username}" on {where} was refused: {error}') from error
        except private_keys.UnusableKey as error:
            raise ConnectFailed(str(error)) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ConnectFailed(f"Cannot connect to {where}: {_reason(error)}") from error
        return client

    def _dial(self, target: _Target) -> socket.socket:
        connection = socket.create_connection((target.hostname, target.port), timeout=self._job.connect_timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED * 1000)
        return connection

    def _log_in(self, client: paramiko.SSHClient, target: _Target, way: socket.socket | paramiko.Channel) -> None:
        seconds = self._job.connect_timeout
        client.connect(
            target.hostname,
            port=target.port,
            username=target.username,
            password=self._job.credentials.password,
            pkey=self._key_for(target),
            sock=way,
            timeout=seconds,
            banner_timeout=seconds,
            auth_timeout=seconds,
            channel_timeout=seconds,
            # The daemon's own agent and home directory are nobody's credentials.
            allow_agent=False,
            look_for_keys=False,
        )
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(_KEEPALIVE)

    def _key_for(self, target: _Target) -> paramiko.PKey | None:
        given = self._job.credentials
        if given.password or given.private_key:
            return self._key
        for path in target.identities:
            if Path(path).expanduser().exists():
                return private_keys.load(path, given.passphrase)
        return self._key


def _through(bastion: paramiko.SSHClient, target: _Target, timeout: float) -> paramiko.Channel:
    transport = bastion.get_transport()
    if transport is None:
        raise paramiko.SSHException("the bastion host has closed the connection")
    return transport.open_channel("direct-tcpip", (target.hostname, target.port), ("127.0.0.1", 0), timeout=timeout)


def _reason(error: Exception) -> str:
    match error:
        case socket.gaierror():
            return f"its name is not known ({error.strerror})"
        case TimeoutError():
            return "no answer in time"
        case OSError():
            return error.strerror or str(error)
        case EOFError():
            return "it closed the connection"
    return str(error) or type(error).__name__
