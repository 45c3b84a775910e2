"""Servers that this machine's user runs for himself: a database and a message broker as child processes.

For development, the standalone mode and the tests. The embedded database is another program under another licence
(GPL): it is found as a command, run as a process and never imported.

A *supervised* server dies with the process (strictly: with the thread) that started it, however that ends. One that is
not supervised stays; a later process stops it through a second object on the same directory.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import amqp
import pymongo
from pymongo.errors import PyMongoError

from st2ctl.server_process import STOP_TIMEOUT, ServerFailed, ServerProcess

__all__ = ["EmbeddedDatabase", "PrivateRabbitMQ", "ServerFailed"]

# Seconds that a server may take to answer. RabbitMQ needs 4 to 8 on a quiet machine.
START_TIMEOUT = 90.0

# Debian's wrapper in /usr/sbin insists on its own user; the script behind it runs as any user.
_RABBITMQ_COMMANDS = ("/usr/lib/rabbitmq/bin/rabbitmq-server",)


class EmbeddedDatabase:
    """A server of MongoDB's protocol on 127.0.0.1: ``mongod`` where one is on PATH, else SecantusDB's server.

    A directory stays with the server that it was first used with: neither reads the other's files.
    """

    def __init__(self, directory: Path, port: int, supervised: bool = True) -> None:
        self._directory = directory
        self._port = port
        self._process = ServerProcess("database", directory, supervised)
        self.uri = f"mongodb://127.0.0.1:{port}/"

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def log(self) -> Path:
        return self._process.log

    def start(self, timeout: float = START_TIMEOUT) -> None:
        """Start it and wait until it answers.

        Raises:
            ServerFailed: no server is installed, it ended, or it did not answer in time.
        """
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._process.start(self._command())
        self._process.wait_until(self._answers, timeout)

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        self._process.stop(timeout)

    def kill(self) -> None:
        self._process.kill()

    def _command(self) -> list[str]:
        mongod_data, secantus_data = self._directory / "mongod", self._directory / "secantus"
        mongod = shutil.which("mongod")
        if mongod is not None and not secantus_data.exists():
            mongod_data.mkdir(exist_ok=True)
            listen = ["--bind_ip", "127.0.0.1", "--port", str(self._port), "--nounixsocket"]
            return [mongod, "--dbpath", str(mongod_data), *listen]
        config = self._directory / "secantusd.toml"
        config.touch()  # an empty one of ours, so that it does not look for one in the user's home
        # --standalone: no replica set, hence no retryable writes, whose pruning would take most of its CPU time.
        return [
            *[find_secantus(), "--config", str(config), "--host", "127.0.0.1", "--port", str(self._port)],
            *["--storage-path", str(secantus_data), "--standalone", "--sync-on-commit"],
            *["--cache-size", "128M", "--oplog-max-entries", "10000"],
        ]

    def _answers(self) -> bool:
        with pymongo.MongoClient(self.uri, serverSelectionTimeoutMS=200, directConnection=True) as client:  # type: ignore[var-annotated]
            try:
                client.admin.command("ping")
            except PyMongoError:
                return False
        return True


class PrivateRabbitMQ:
    """A RabbitMQ node of our own on 127.0.0.1, with its own ``epmd`` (Erlang's name server), as any user."""

    def __init__(self, directory: Path, port: int, dist_port: int, epmd_port: int, supervised: bool = True) -> None:
        self._directory = directory
        self._port = port
        self._dist_port = dist_port
        self._epmd_port = epmd_port
        self._epmd = ServerProcess("epmd", directory, supervised)
        self._process = ServerProcess("rabbitmq", directory, supervised)
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def log(self) -> Path:
        return self._process.log

    def start(self, timeout: float = START_TIMEOUT) -> None:
        """Start it and wait until a client can log in. Messages of an earlier run in this directory are kept.

        Raises:
            ServerFailed: RabbitMQ is not installed, it ended, or it did not answer in time.
        """
        command = find_rabbitmq()
        environment = self._environment()
        self._prepare()
        # In the foreground and before the node, which would start one as a daemon that nobody ever stops.
        epmd = ["epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)]
        self._epmd.start(epmd, environment)
        try:
            self._epmd.wait_until(self._epmd_answers, timeout)
            self._process.start([command], environment)
            self._process.wait_until(self._answers, timeout)
        except BaseException:
            self.stop()
            raise

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        self._process.stop(timeout)
        self._epmd.stop(timeout)

    def kill(self) -> None:
        self._process.kill()
        self._epmd.stop()

    def _prepare(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._directory / "enabled_plugins").write_text("[].")
        (self._directory / "rabbitmq-env.conf").touch()
        cookie = self._directory / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(os.urandom(16).hex())
            cookie.chmod(0o400)

    def _environment(self) -> dict[str, str]:
        here = str(self._directory)
        ours = {
            "NODENAME": f"st2-{self._port}@localhost",
            "NODE_IP_ADDRESS": "127.0.0.1",
            "NODE_PORT": str(self._port),
            "DIST_PORT": str(self._dist_port),
            "MNESIA_BASE": f"{here}/mnesia",
            "LOG_BASE": f"{here}/log",
            "PID_FILE": f"{here}/rabbit.pid",
            "CONF_ENV_FILE": f"{here}/rabbitmq-env.conf",
            "CONFIG_FILE": f"{here}/rabbitmq",
            "CONFIG_FILES": f"{here}/conf.d",
            "ADVANCED_CONFIG_FILE": f"{here}/advanced.config",
            "ENABLED_PLUGINS_FILE": f"{here}/enabled_plugins",
            "GENERATED_CONFIG_DIR": f"{here}/generated",
            "SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # These two make the script exec the node, so that our child's pid is the node's.
            "ALLOW_INPUT": "1",
            "SERVER_START_ARGS": "-noinput",
        }
        return {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            "HOME": here,  # where Erlang reads its cookie
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            **{f"RABBITMQ_{name}": value for name, value in ours.items()},
        }

    def _epmd_answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._epmd_port), timeout=1).close()
        except OSError:
            return False
        return True

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"127.0.0.1:{self._port}", connect_timeout=2):
                return True
        except (OSError, amqp.AMQPError):
            return False


def find_secantus() -> str:
    """The command of the embedded database: beside our Python, or on PATH.

    Raises:
        ServerFailed: it is not installed.
    """
    beside = Path(sys.executable).with_name("secantusd-py")
    found = str(beside) if beside.exists() else shutil.which("secantusd-py")
    if found is None:
        raise ServerFailed("there is neither a mongod on PATH nor the embedded database: pip install 'st2[embedded]'")
    return found


def find_rabbitmq() -> str:
    """The command of RabbitMQ.

    Raises:
        ServerFailed: it is not installed.
    """
    for command in _RABBITMQ_COMMANDS:
        if os.access(command, os.X_OK):
            return command
    found = shutil.which("rabbitmq-server")
    if found is None:
        raise ServerFailed("RabbitMQ is not installed: apt-get install rabbitmq-server")
    return found
