"""The embedded servers of the development profile: they stay while the daemons come and go."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from st2ctl.embedded import EmbeddedDatabase, PrivateRabbitMQ
from st2ctl.installation import Installation
from st2ctl.profile import pick_ports
from st2ctl.server_process import ServerFailed

# Where AMQP listens unless its URL says otherwise.
_AMQP_PORT = 5672


def database(installation: Installation, supervised: bool) -> EmbeddedDatabase:
    return EmbeddedDatabase(
        installation.state_path / "database", installation.config.database.port, supervised=supervised
    )


def broker(installation: Installation) -> PrivateRabbitMQ:
    port = urlsplit(installation.config.messaging.url).port or _AMQP_PORT
    dist_port, epmd_port = pick_ports(None, None)
    return PrivateRabbitMQ(installation.state_path / "rabbitmq", port, dist_port, epmd_port, supervised=False)


def start(installation: Installation, tell: Callable[[str], None]) -> None:
    """Start those that do not run, and wait until both answer.

    Raises:
        ServerFailed: one is not installed, ended or does not answer.
    """
    absent = [server for server in (database(installation, False), broker(installation)) if server.pid is None]
    if not absent:
        return
    tell("Starting a private database and broker (a few seconds)")
    with ThreadPoolExecutor() as pool:
        for started in [pool.submit(server.start) for server in absent]:
            started.result()


def watch(installation: Installation) -> Callable[[], None]:
    """What raises ServerFailed when one of them has ended since it was started."""
    watched: dict[str, EmbeddedDatabase | PrivateRabbitMQ] = {
        "database": database(installation, False),
        "broker": broker(installation),
    }

    def require() -> None:
        for name, server in watched.items():
            if server.pid is None:
                raise ServerFailed(f"the private {name} has ended (its log: {server.log}); start again")

    return require


def stop(installation: Installation) -> None:
    with ThreadPoolExecutor() as pool:
        for stopped in [pool.submit(server.stop) for server in (database(installation, False), broker(installation))]:
            stopped.result()
