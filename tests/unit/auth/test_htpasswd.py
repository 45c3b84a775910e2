from __future__ import annotations

import logging
from pathlib import Path

import pytest
from passlib.hash import apr_md5_crypt, bcrypt, des_crypt, ldap_sha1, sha256_crypt, sha512_crypt

from st2common.auth.htpasswd import HtpasswdBackend

# As the tool writes it: htpasswd -nbB -C 4 ada secret
WRITTEN_BY_APACHE = bcrypt.using(rounds=4, ident="2y").hash("secret")


def backend(path: Path, *lines: str) -> HtpasswdBackend:
    path.write_text("".join(line + "\n" for line in lines))
    return HtpasswdBackend(str(path))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "htpasswd"


@pytest.mark.parametrize(
    "password_hash",
    [
        WRITTEN_BY_APACHE,
        sha512_crypt.using(rounds=1000).hash("secret"),
        sha256_crypt.using(rounds=1000).hash("secret"),
        apr_md5_crypt.hash("secret"),
        ldap_sha1.hash("secret"),
        des_crypt.hash("secret"),
    ],
    ids=["bcrypt", "sha512", "sha256", "apr1", "sha1", "des"],
)
def test_every_format_of_the_tool_is_read(file: Path, password_hash: str) -> None:
    passwords = backend(file, f"ada:{password_hash}")
    assert passwords.authenticate("ada", "secret")
    assert not passwords.authenticate("ada", "Secret")
    assert not passwords.authenticate("ada", "")


def test_nobody_else_gets_in(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        passwords = backend(file, "# ada:comment", "", "no colon", "plain:toto", ":", f"ada:{WRITTEN_BY_APACHE}:Ada L.")
        assert passwords.authenticate("ada", "secret")
    assert not passwords.authenticate("plain", "toto")
    assert not passwords.authenticate("", "")
    assert not passwords.authenticate("bob", "secret")
    assert [record.getMessage().split(":")[0].rpartition(" ")[2] for record in caplog.records] == ["3", "4", "5"]
    assert "toto" not in caplog.text


@pytest.mark.parametrize("password", ["a" * 200, "se\0cret", "\u20ac" * 40, "secret\n"])
def test_passwords_that_no_hash_takes_are_wrong(file: Path, password: str) -> None:
    assert not backend(file, f"ada:{WRITTEN_BY_APACHE}").authenticate("ada", password)


def test_a_long_password_is_cut_as_the_tool_cuts_it(file: Path) -> None:
    long = "x" * 100
    assert backend(file, "ada:" + bcrypt.using(rounds=4).hash(long[:72])).authenticate("ada", long)


def test_a_changed_file_holds_at_once(file: Path) -> None:
    passwords = backend(file, f"ada:{WRITTEN_BY_APACHE}")
    assert passwords.authenticate("ada", "secret")
    file.write_text("grace:" + WRITTEN_BY_APACHE + "\n")
    assert not passwords.authenticate("ada", "secret")
    assert passwords.authenticate("grace", "secret")


def test_a_missing_file_is_an_error_and_nobody_gets_in(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        HtpasswdBackend(str(tmp_path / "absent")).authenticate("ada", "secret")
