"""A private sshd on three loopback addresses, with a host key and a login of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conditions import eventually

#: Further hosts, for a client: the whole of 127.0.0.0/8 is this machine.
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@dataclass(frozen=True)
class Sshd:
    port: int
    username: str
    #: Private key that may log in.
    key_file: Path
    #: Type and base64 text of the host's key.
    host_key: str
    #: Names the host under all its addresses.
    known_hosts: Path
    log: Path

    def host(self, number: int = 0) -> str:
        """``address:port`` of one of the addresses."""
        return f"{ADDRESSES[number]}:{self.port}"


@contextlib.contextmanager
def running_sshd(directory: Path) -> Iterator[Sshd]:
    """Serve until the block ends; everything lies in ``directory``."""
    host_key, key = directory / "host_key", directory / "id_ed25519"
    for path in (host_key, key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    port = _free_port()
    public = " ".join(Path(f"{host_key}.pub").read_text().split()[:2])
    known_hosts = directory / "known_hosts"
    known_hosts.write_text("".join(f"[{address}]:{port} {public}\n" for address in ADDRESSES))
    config = directory / "sshd_config"
    config.write_text(_config(directory, port))
    if os.geteuid() == 0:
        # sshd's own empty directory, which Debian makes when the service starts.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = directory / "sshd.log"
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "openssh-server is not installed"
    # -D and -e: in the foreground, messages to our file.
    with log.open("wb") as messages:
        server = subprocess.Popen(
            [program, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=messages, stderr=messages
        )
    try:
        eventually(lambda: server.poll() is not None or _answers(port))
        assert server.poll() is None, log.read_text()
        yield Sshd(port, getpass.getuser(), key, public, known_hosts, log)
    finally:
        server.terminate()
        server.wait(timeout=10)


def _config(directory: Path, port: int) -> str:
    addresses = "".join(f"ListenAddress {address}\n" for address in ADDRESSES)
    return f"""Port {port}
{addresses}HostKey {directory / "host_key"}
PidFile {directory / "sshd.pid"}
AuthorizedKeysFile {directory / "id_ed25519.pub"}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintMotd no
LogLevel VERBOSE
MaxStartups 100
Subsystem sftp internal-sftp
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        return connection.recv(4) == b"SSH-"
    return False
