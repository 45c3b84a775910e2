"""A platform of the shipped commands, in a directory of its own."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from oslo_config import cfg
from passlib.hash import bcrypt

from st2ctl import heartbeats
from st2ctl.installation import Installation
from st2ctl.processes import Process
from st2ctl.profile import pick_ports

_PROGRAMS = Path(sys.executable).parent

# Seconds for one command; a start on a loaded machine is the longest.
_COMMAND_TIMEOUT = 110


class Platform:
    def __init__(self, var: Path, mode: Sequence[str] = (), programs: Path = _PROGRAMS) -> None:
        """``mode``: ``["standalone"]``, or nothing for daemons of their own. ``programs``: where ``st2ctl`` lies."""
        self.var = var
        self._programs = programs
        self._mode = mode
        if not (var / "st2.conf").exists():
            # Not the usual ports: several platforms that begin at the same time may all find them free.
            for service, port in zip(("api", "stream", "auth"), pick_ports(None, None, None), strict=True):
                self.configure(service, port=str(port))

    def ctl(
        self, *arguments: str, answer: str = "", place: Sequence[str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """``st2ctl <mode> <arguments>``; ``answer`` is what it reads when it asks, ``place`` says which platform."""
        about = ["--var", str(self.var)] if place is None else place
        words = [str(self._programs / "st2ctl"), *self._mode, *arguments, *about]
        return subprocess.run(
            words, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT, cwd=self.var.parent, input=answer
        )

    def start(self) -> str:
        started = self.ctl("start")
        assert started.returncode == 0, started.stdout + started.stderr
        return started.stdout

    def stop(self) -> None:
        stopped = self.ctl("stop", "--cancel-actions")
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """From its start to its stop, which leaves nothing; when a test has failed, nothing is left either."""
        try:
            self.start()
            yield self
            self.stop()
            assert self.processes() == {}
        finally:
            self.kill_everything()

    def command(self, name: str) -> str:
        return str(self._programs / name)

    def st2(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = [str(self._programs / "st2"), *arguments]
        return subprocess.run(words, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT, env=self.environment)

    def st2_in_background(self, *arguments: str) -> subprocess.Popen[str]:
        words = [str(self._programs / "st2"), *arguments]
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment
        )

    @property
    def config(self) -> cfg.ConfigOpts:
        return Installation.in_directory(self.var).config

    def configure(self, section: str, **options: str) -> None:
        """Options for a platform that has not been started yet."""
        Installation.in_directory(self.var)
        conf = self.var / "st2.conf"
        parsed = configparser.RawConfigParser()
        parsed.read(conf)
        parsed.read_dict({section: options})
        with conf.open("w") as file:
            parsed.write(file)

    def require_logins(self, passwords: dict[str, str]) -> None:
        """Authentication on, for these users, before the platform has been started."""
        self.configure("auth", enable="True")
        lines = [f"{user}:{bcrypt.using(rounds=4).hash(password)}\n" for user, password in passwords.items()]
        (self.var / "htpasswd").write_text("".join(lines))

    @property
    def urls(self) -> dict[str, str]:
        """Where the services are, as clients take it from their environment."""
        installation = Installation.in_directory(self.var)
        return {
            "ST2_API_URL": f"{installation.api_url}/v1",
            "ST2_STREAM_URL": f"{installation.stream_url}/v1",
            "ST2_AUTH_URL": f"http://127.0.0.1:{installation.config.auth.port}",
        }

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.urls, "ST2_CLI_SKIP_CONFIG": "1"}

    def process(self, name: str) -> Process:
        """The one process of a component."""
        [process] = [beat.process for beat in heartbeats.read_all(self.var) if beat.name == name]
        return process

    def processes(self) -> dict[int, str]:
        """Every process that has anything to do with this platform's directory: pid -> command line."""
        return {
            int(directory.name): _read(directory / "cmdline").replace("\0", " ")
            for directory in Path("/proc").glob("[0-9]*")
            if int(directory.name) != os.getpid()
            and str(self.var) in _read(directory / "cmdline") + _read(directory / "environ")
        }

    def kill_everything(self) -> None:
        """For the end of a test that failed."""
        for pid in self.processes():
            process = Process.of(pid)
            if process is not None:
                process.send(signal.SIGKILL)


def lines_of(output: str) -> list[str]:
    """What the action printed, without the time stamps of ``tail`` and what else the command says."""
    return re.findall(r"^\[[^\]]+\]\[stdout\] (.*)$", output, flags=re.MULTILINE)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""
