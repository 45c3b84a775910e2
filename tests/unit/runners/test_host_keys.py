"""Which key is believed of which host, by the files of known hosts."""

from __future__ import annotations

import threading
from pathlib import Path

import paramiko
import pytest

from st2actionrunner.ssh import host_keys

KEY, OTHER = (paramiko.ECDSAKey.generate() for _ in range(2))


def line(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def keys_for(hostname: str, port: int, file: Path) -> paramiko.HostKeys:
    with paramiko.SSHClient() as client:
        host_keys.apply(client, hostname, port, str(file), trust_on_first_use=False)
        return client.get_host_keys()


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("web {key}", True),
        ("WEB,db {key} a comment", True),
        ("  \n# a comment\nweb\t{key}\n", True),
        ("w?b {key}", True),
        ("* {key}", True),
        ("!web,* {key}", False),
        ("db {key}", False),
        ("[web]:22 {key}", False),
        ("webs {key}", False),
        pytest.param(paramiko.HostKeys.hash_host("web") + " {key}", True, id="hashed"),
        pytest.param(paramiko.HostKeys.hash_host("db") + " {key}", False, id="another one hashed"),
        ("web {other}", False),
        ("@revoked * {key}\nweb {key}", False),
        ("@revoked * {other}\nweb {key}", True),
        ("@cert-authority * {key}", False),
        ("db ecdsa-sha2-nistp256 damaged\nweb {key}", True),
        ("web new-key-type AAAA\nweb {key}", True),
        ("", False),
    ],
)
def test_known_hosts(tmp_path: Path, text: str, known: bool) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(text.format(key=line(KEY), other=line(OTHER)))
    assert keys_for("web", 22, file).check("web", KEY) is known


def test_another_port_is_another_host(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"[web]:2222 {line(KEY)}\nweb {line(OTHER)}\n")
    assert keys_for("web", 2222, file).check("[web]:2222", KEY)
    assert keys_for("web", 22, file).check("web", OTHER)


def test_a_damaged_line_of_the_host_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"web {line(KEY)}\nweb ecdsa-sha2-nistp256 A\n")
    with pytest.raises(host_keys.HostKeyRefused, match="line 2: this is no host key"):
        keys_for("web", 22, file)


def meet(file: Path, key: paramiko.PKey, trust: bool = True) -> None:
    """Meet a host that is not known yet."""
    with paramiko.SSHClient() as client:
        host_keys.apply(client, "new", 22, str(file), trust_on_first_use=trust)
        policy = client._policy
        policy.missing_host_key(client, "new", key)


def test_first_use(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known_hosts"
    with pytest.raises(host_keys.HostKeyRefused, match="is not known"):
        meet(file, KEY, trust=False)
    assert not file.exists()
    meet(file, KEY)
    assert file.read_text() == f"new {line(KEY)}\n"
    meet(file, KEY)
    assert file.read_text() == f"new {line(KEY)}\n"
    with pytest.raises(host_keys.HostKeyRefused, match="not the one seen before"):
        meet(file, OTHER)


def test_a_revoked_key_is_not_trusted_on_first_use(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@revoked * {line(KEY)}")
    with pytest.raises(host_keys.HostKeyRefused, match="revoked"):
        meet(file, KEY)
    meet(file, OTHER)
    assert file.read_text() == f"@revoked * {line(KEY)}\nnew {line(OTHER)}\n"


def test_only_one_is_the_first(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    refused: list[Exception] = []
    start = threading.Barrier(8)

    def race(key: paramiko.PKey) -> None:
        start.wait()
        try:
            meet(file, key)
        except host_keys.HostKeyRefused as error:
            refused.append(error)

    threads = [threading.Thread(target=race, args=((KEY, OTHER)[number % 2],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(file.read_text().splitlines()) == 1
    assert len(refused) == 4
