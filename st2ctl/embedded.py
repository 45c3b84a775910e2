"""Servers that this machine's user runs for himself: a database and a message broker as child processes.

For development, the standalone mode and the tests. The embedded database is another program under another licence
(GPL): it is found as a command, run as a process and never imported.

A *supervised* server dies with the process (strictly: with the thread) that started it, however that ends. One that is
not supervised stays; a later process stops it through a second object on the same directory.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import amqp
import pymongo
from pymongo.errors import PyMongoError

from st2common.errors import St2Error
from st2ctl import die_with_parent

# Seconds between two looks at a server that starts or stops.
_LOOK_INTERVAL = 0.05

# Seconds that a server may take to answer. RabbitMQ needs 4 to 8 on a quiet machine.
START_TIMEOUT = 90.0
# Seconds until a server that was asked to stop is killed.
STOP_TIMEOUT = 20.0

# Debian's wrapper in /usr/sbin insists on its own user; the script behind it runs as any user.
_RABBITMQ_COMMANDS = ("/usr/lib/rabbitmq/bin/rabbitmq-server",)


class ServerFailed(St2Error):
    """A server that this command needs did not start."""


class ServerProcess:
    """One child process with a log and a pid file in ``directory``."""

    def __init__(self, name: str, directory: Path, supervised: bool) -> None:
        self.name = name
        self._directory = directory
        self._supervised = supervised
        self._child: subprocess.Popen[bytes] | None = None
        self._pid_file = directory / f"{name}.pid"
        self.log = directory / f"{name}.log"

    @property
    def pid(self) -> int | None:
        """The process id while the server runs, whoever started it; else None."""
        if self._child is not None:
            return self._child.pid if self._child.poll() is None else None
        return self._recorded_pid()

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        if self._supervised:
            script = [sys.executable, "-I", "-S", die_with_parent.__file__]
            command = [*script, str(os.getpid()), str(int(signal.SIGTERM)), *command]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                cwd=self._directory,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for the supervisor, which stops us in order
            )
        self._pid_file.write_text(f"{self._child.pid} {_start_time(self._child.pid)}")

    def wait_until(self, answers: Callable[[], bool], timeout: float) -> None:
        """Wait until ``answers()``; ends the process and raises ServerFailed when it dies or takes too long."""
        deadline = time.monotonic() + timeout
        while not answers():
            if self.pid is None:
                raise ServerFailed(f"{self.name} ended while it started:\n{self._last_words()}")
            if time.monotonic() > deadline:
                self.stop()
                raise ServerFailed(f"{self.name} does not answer after {timeout:g} s:\n{self._last_words()}")
            time.sleep(_LOOK_INTERVAL)

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Terminate; kill what is left after ``timeout`` seconds. Nothing when it does not run."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while self.pid is not None:
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            time.sleep(_LOOK_INTERVAL)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._signal(signal.SIGKILL)
        self.stop()

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _recorded_pid(self) -> int | None:
        try:
            pid, started = self._pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        # The start time tells our process from a later one that was given the same number.
        return int(pid) if _start_time(int(pid)) == started else None

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


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
            # No busy waiting of the scheduler threads: the machine has other work.
            "SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"
            " +sbwt none +sbwtdcpu none +sbwtdio none",
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


def _start_time(pid: int) -> str | None:
    """When a process started (in clock ticks since boot); None when it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name before the last parenthesis may hold anything; after it come state (field 3) ... start time (field 22).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]
