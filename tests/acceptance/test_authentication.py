"""A platform that asks who calls: log in over TLS, run, cancel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.acceptance.platforms import Platform

# Seconds for one command on a loaded machine.
_TIMEOUT = 60


# What an action asks with its token.
_ASK = """
from os import environ
from urllib.request import Request, urlopen
headers = {"X-Auth-Token": environ["ST2_ACTION_AUTH_TOKEN"]}
print(urlopen(Request(environ["ST2_ACTION_API_URL"] + "/user", headers=headers)).read().decode())
"""


def certify(directory: Path) -> None:
    """A key, and a certificate of 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(tmp_path / "var", ["standalone"])
    assert not platform.config.auth.enable
    platform.require_logins({"ada": "secret"})
    certify(tmp_path)
    platform.configure("auth", use_ssl="True", cert=f"{tmp_path}/cert.pem", key=f"{tmp_path}/key.pem")
    try:
        started = platform.start()
        assert "Authentication is off" not in started
        yield platform
    finally:
        platform.kill_everything()


def test_a_user_logs_in_and_runs_an_action(platform: Platform, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in platform.environment.items() if name != "ST2_CLI_SKIP_CONFIG"},
        "ST2_CACERT": f"{tmp_path}/cert.pem",
        "ST2_AUTH_URL": f"https://127.0.0.1:{platform.config.auth.port}",
        "HOME": str(tmp_path),
    }

    def st2(*words: str) -> str:
        program = Path(sys.executable).with_name("st2")
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=_TIMEOUT, env=environment)
        return done.stdout + done.stderr

    assert "401 Client Error" in st2("action", "list")
    assert 'Logged in as "ada"' in st2("login", "ada", "-p", "secret")
    ran = st2("run", "--tail", "core.local", f"cmd={sys.executable} -c '{_ASK}'")
    assert '"username":"ada"' in ran
    assert "context.user: ada" in ran
    # Whoever stops the platform cancels it with a token of their own.
    left = st2("run", "-a", "core.local", "cmd=sleep 1000", "-j")
    stopped = platform.ctl("stop", "--cancel-actions").stdout
    assert f"Cancelled {json.loads(left)['id']}" in stopped
