"""One command on one host, from its start to its end, and how to end it before its time."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import paramiko

from st2actionrunner.ssh.job import Job
from st2actionrunner.ssh.output import HostStream

LOG = logging.getLogger(__name__)

# Seconds between two looks at the clock and the stop signal; output and the end itself are not waited for in steps.
_LOOK = 0.1

# Seconds that output may stay silent after the command has ended, before the connection is closed. Whoever still holds
# it is a background process that the command left behind.
_LINGER = 1.0

# Seconds between TERM and KILL. Of the second the keeper's own patience is the bound.
TIMEOUT_GRACE = 5.0
STOP_GRACE = 2.0

# Seconds for a command that ends another.
_KILL_PATIENCE = 5.0

_READ_SIZE = 64 * 1024


class Ending(Enum):
    ITSELF = "itself"
    TIMEOUT = "timeout"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Ended:
    ending: Ending
    #: None: the host did not say.
    exit_status: int | None
    #: Whether the connection outlived the command.
    connected: bool


class ProcessMark:
    """Finds, and takes out of the output, the line by which the remote shell tells its process id."""

    # Bytes of greetings that a login shell may print before it.
    _PATIENCE = 64 * 1024

    def __init__(self) -> None:
        self._text = b"st2-" + secrets.token_hex(8).encode() + b":"
        self._held = b""
        self._looking = True
        self.process: int | None = None

    @property
    def command(self) -> str:
        return f"printf '%s%s\\n' {self._text.decode()} $$"

    def take(self, data: bytes) -> bytes:
        """What of ``data``, and of what was held back before, is the command's own."""
        if not self._looking:
            return data
        self._held += data
        before, mark, after = self._held.partition(self._text)
        number, newline, after = after.partition(b"\n")
        if mark and newline:
            self._held = before + after
            self.process = int(number) if number.strip().isdigit() else None
            return self.rest()
        return self.rest() if len(self._held) > self._PATIENCE else b""

    def rest(self) -> bytes:
        """What was held back; from here on nothing is."""
        self._looking = False
        rest, self._held = self._held, b""
        return rest


class _Pump(threading.Thread):
    """Moves one stream of the remote command to the watcher."""

    def __init__(self, receive: Callable[[int], bytes], stream: HostStream, mark: ProcessMark | None = None) -> None:
        super().__init__(daemon=True)
        self._receive = receive
        self._stream = stream
        self._mark = mark
        self._waiting_since: float | None = None
        #: Nobody reads our own output any more.
        self.unheard = False

    def run(self) -> None:
        try:
            while data := self._next():
                self._stream.feed(self._mark.take(data) if self._mark else data)
            if self._mark:
                self._stream.feed(self._mark.rest())
            self._stream.close()
        except OSError:
            self.unheard = True

    def _next(self) -> bytes:
        self._waiting_since = time.monotonic()
        data = self._receive(_READ_SIZE)
        self._waiting_since = None
        return data

    def silent(self) -> bool:
        """Nothing comes from the host; unlike a pump that waits for its own reader."""
        since = self._waiting_since
        return not self.is_alive() or (since is not None and time.monotonic() - since > _LINGER)


class Session:
    """A command on one host."""

    def __init__(self, transport: paramiko.Transport, job: Job, stop: threading.Event) -> None:
        """``stop``: set to end the command from outside."""
        self._transport = transport
        self._job = job
        self._stop = stop
        self._mark = ProcessMark()

    def run(self, stdout: HostStream, stderr: HostStream) -> Ended:
        """Run the job's command to its end, showing its output while it runs.

        Raises:
            paramiko.SSHException: the host does not start commands, or the connection broke before it began.
        """
        deadline = time.monotonic() + self._job.timeout if self._job.timeout else float("inf")
        channel = self._transport.open_session(timeout=self._job.connect_timeout)
        try:
            if self._job.pty:
                channel.get_pty(term="xterm-256color")
            channel.exec_command(self._bootstrap())
            pumps = (_Pump(channel.recv, stdout, self._mark), _Pump(channel.recv_stderr, stderr))
            for pump in pumps:
                pump.start()
            self._instruct(channel, deadline)
            ending = self._wait(channel, pumps, deadline)
            if ending is not Ending.ITSELF:
                self._end(pumps, TIMEOUT_GRACE if ending is Ending.TIMEOUT else STOP_GRACE)
            status = channel.recv_exit_status() if channel.exit_status_ready() else -1
        finally:
            channel.close()
        for pump in pumps:
            pump.join()
        return Ended(ending, status if status >= 0 else None, self._transport.is_active())

    def _bootstrap(self) -> str:
        """What the login shell is started with: it reads the command itself from its standard input, because
        everybody on the host can see the arguments of a process."""
        size = len(self._job.command.encode())
        if not self._job.pty:
            return f'{self._mark.command}; eval "$(head -c {size})"'
        # On a terminal the command would be shown as it is typed in, and cut at the longest line a terminal takes.
        quiet = "stty -echo -icanon"
        stdin = "" if self._job.sudo_password else " </dev/null"
        return f'{quiet}; {self._mark.command}; st2_command="$(head -c {size})"; eval "$st2_command"{stdin}'

    def _instruct(self, channel: paramiko.Channel, deadline: float) -> None:
        while self._job.pty and self._mark.process is None and not channel.exit_status_ready():
            if self._stop.wait(_LOOK) or time.monotonic() > deadline:
                return
        text = self._job.command.encode()
        if self._job.sudo_password:
            text += f"{self._job.sudo_password}\n".encode()
        # A host that refuses to take it has ended the session already: its end says more than this failure.
        with contextlib.suppress(OSError):
            channel.sendall(text)
            if not self._job.pty:
                channel.shutdown_write()

    def _wait(self, channel: paramiko.Channel, pumps: Sequence[_Pump], deadline: float) -> Ending:
        while True:
            running = [pump for pump in pumps if pump.is_alive()]
            if channel.exit_status_ready() and all(pump.silent() for pump in pumps):
                return Ending.ITSELF
            if self._stop.is_set() or any(pump.unheard for pump in pumps):
                return Ending.STOPPED
            if time.monotonic() > deadline:
                return Ending.TIMEOUT
            if running:
                running[0].join(_LOOK)
            else:
                channel.status_event.wait(_LOOK)

    def _end(self, pumps: Sequence[_Pump], grace: float) -> None:
        """End the command with all that it has started: TERM, and KILL after ``grace`` seconds."""
        for signal, patience in (("TERM", grace), ("KILL", _LINGER)):
            self._signal(signal)
            deadline = time.monotonic() + patience
            for pump in pumps:
                pump.join(max(0.0, deadline - time.monotonic()))
            if not any(pump.is_alive() for pump in pumps):
                return

    def _signal(self, name: str) -> None:
        """Through a session of its own. A host that allows no second one ends the command, if at all, for lack of a
        reader."""
        if self._mark.process is None or not self._transport.is_active():
            return
        kill = f"kill -s {name} -- -{self._mark.process}"
        if self._job.sudo:
            asked = "-S -p ''" if self._job.sudo_password else "-n"
            kill = f"sudo {asked} -- {kill}"
        try:
            with contextlib.closing(self._transport.open_session(timeout=_KILL_PATIENCE)) as channel:
                channel.settimeout(_KILL_PATIENCE)
                channel.exec_command(kill)
                if self._job.sudo and self._job.sudo_password:
                    channel.sendall(f"{self._job.sudo_password}\n".encode())
                channel.shutdown_write()
                channel.recv(1)
        except (OSError, paramiko.SSHException) as error:
            LOG.warning("Could not send %s to process %s: %s", name, self._mark.process, error)
