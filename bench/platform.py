"""A platform of its own for the benchmark: broker, database and the five daemons as processes in one directory."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymongo
from pymongo.database import Database

from bench.processes import Process
from st2ctl import heartbeats
from st2ctl.embedded import PrivateRabbitMQ, find_secantus
from st2ctl.profile import pick_ports
from st2ctl.server_process import ServerProcess

_DATABASE_NAME = "st2"
# Seconds for one command of st2ctl.
_COMMAND_TIMEOUT = 120
# The default of ``[actionrunner] actions_pool_size``.
_PLACES = 60

_CONF = """\
[system]
base_path = {directory}
state_path = {directory}
[system_user]
user = {user}
[actionrunner]
stream_output = {stream_output}
actions_pool_size = {places}
exit_timeout = 0
[api]
host = 127.0.0.1
port = {api}
[stream]
host = 127.0.0.1
port = {stream}
[auth]
enable = False
[content]
system_packs_base_path = {directory}/packs
packs_base_paths = {packs}
[database]
host = 127.0.0.1
port = {database}
db_name = {database_name}
[messaging]
url = {broker}
"""


class BenchDatabase:
    """The embedded database with the flags that are to be measured: the shipped profile always syncs on commit."""

    def __init__(self, directory: Path, port: int, sync: bool) -> None:
        self._directory = directory
        self._port = port
        self._sync = sync
        self.process = ServerProcess("database", directory, supervised=True)
        self.uri = f"mongodb://127.0.0.1:{port}/"

    def start(self) -> None:
        self._directory.mkdir(parents=True)
        config = self._directory / "secantusd.toml"
        config.touch()
        command = [find_secantus(), "--config", str(config), "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--storage-path", str(self._directory / "data"), "--standalone"]
        command += ["--cache-size", "128M", "--oplog-max-entries", "10000"]
        self.process.start([*command, "--sync-on-commit"] if self._sync else command)
        self.process.wait_until(self._answers, timeout=60)

    def stop(self) -> None:
        self.process.stop()

    def _answers(self) -> bool:
        with pymongo.MongoClient[dict[str, Any]](self.uri, serverSelectionTimeoutMS=200) as client:
            try:
                client.admin.command("ping")
            except pymongo.errors.PyMongoError:
                return False
        return True


class Platform:
    """What the rows measure. ``api`` and ``stream`` are ports of 127.0.0.1."""

    def __init__(self, directory: Path, sync: bool) -> None:
        self.directory = directory
        self.sync = sync
        self.api, self.stream, database, broker, dist, epmd = pick_ports(*[None] * 6)
        self.database_server = BenchDatabase(directory / "database", database, sync)
        self.broker = PrivateRabbitMQ(directory / "rabbitmq", broker, dist, epmd)
        self._conf = directory / "st2.conf"
        self._database_port = database

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_conf()
        # What `packs.setup_virtualenv` makes; the pack needs nothing beside the platform.
        venv.create(self.directory / "virtualenvs" / "bench", symlinks=True)
        self.database_server.start()
        self.broker.start()
        self._command("st2-register-content", "--config-file", str(self._conf), "--register-all")
        self._ctl("start")

    def stop(self) -> None:
        try:
            if self._conf.exists():
                self._ctl("stop")
        finally:
            self.broker.stop()
            self.database_server.stop()

    @contextmanager
    def streaming_off(self) -> Iterator[None]:
        """The same platform with ``[actionrunner] stream_output = False``."""
        self._restart_runner(stream_output=False)
        try:
            yield
        finally:
            self._restart_runner()

    @contextmanager
    def places(self, count: int) -> Iterator[None]:
        """The same platform whose runner has so many actions at once."""
        self._restart_runner(places=count)
        try:
            yield
        finally:
            self._restart_runner()

    def lose_runner(self) -> None:
        """End runner and keeper at once, as a host that dies does."""
        daemons = self.daemons()
        for process in [*daemons["st2actionrunner"], *daemons["keeper"]]:
            os.kill(process.pid, signal.SIGKILL)

    def restart(self) -> None:
        """All daemons; what runs goes on under its keeper."""
        self._ctl("restart")

    @contextmanager
    def database(self) -> Iterator[Database[dict[str, Any]]]:
        """A client of ours; its collections ``bench_*`` are free for baselines."""
        with pymongo.MongoClient[dict[str, Any]](self.database_server.uri) as client:
            yield client[_DATABASE_NAME]

    def daemons(self) -> dict[str, list[Process]]:
        """The processes of each component; the keeper apart from its runner. Actions and warm parents are left out."""
        found: dict[str, list[Process]] = {}
        for beat in heartbeats.read_all(self.directory):
            found[beat.name] = Process.family(beat.process.pid)
        found["keeper"] = Process.with_argument("st2actionrunner.keeper", str(self.directory))
        return found

    def everything(self) -> dict[str, list[Process]]:
        """The daemons, the broker and the database."""
        servers = {"database": self.database_server.process.pid, "broker": self.broker.pid}
        return self.daemons() | {name: [Process(pid)] for name, pid in servers.items() if pid}

    def _restart_runner(self, stream_output: bool = True, places: int = _PLACES) -> None:
        self._write_conf(stream_output, places)
        self._ctl("restart-component", "st2actionrunner")

    def _write_conf(self, stream_output: bool = True, places: int = _PLACES) -> None:
        text = _CONF.format(
            directory=self.directory,
            user=getpass.getuser(),
            stream_output=stream_output,
            places=places,
            api=self.api,
            stream=self.stream,
            packs=Path(__file__).parent / "packs",
            database=self._database_port,
            database_name=_DATABASE_NAME,
            broker=self.broker.url,
        )
        self._conf.write_text(text)

    def _ctl(self, *arguments: str) -> None:
        self._command("st2ctl", "--config-file", str(self._conf), *arguments)

    def _command(self, name: str, *arguments: str) -> None:
        command = [str(Path(sys.executable).with_name(name)), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
