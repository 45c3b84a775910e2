"""Passwords in a file of Apache's ``htpasswd``: a line ``user:hash`` for each user, ``#`` begins a comment.

Hashes: bcrypt (``htpasswd -B``: use this one), SHA-512 and SHA-256 crypt, Apache's MD5, SHA-1 and traditional crypt for
files that exist already. Plain text is never compared.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from passlib.context import CryptContext

LOG = logging.getLogger(__name__)

_HASHES = CryptContext(["bcrypt", "sha512_crypt", "sha256_crypt", "apr_md5_crypt", "ldap_sha1", "des_crypt"])
# Hashes of these are guessed faster than anybody should like.
_WEAK = frozenset({"apr_md5_crypt", "ldap_sha1", "des_crypt"})

# Bytes of a password that bcrypt looks at; others look at all.
_BCRYPT_BYTES = 72


class HtpasswdBackend:
    """``[auth] backend = flat_file``. A change of the file holds from the next login on."""

    def __init__(self, file_path: str) -> None:
        self._path = Path(file_path)
        self._lock = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._hashes: dict[str, str] = {}

    def authenticate(self, username: str, password: str) -> bool:
        """
        Raises:
            OSError: the file cannot be read.
        """
        hashes = self._read()
        known = hashes.get(username)
        # Whoever asks for somebody who does not exist waits as long as the others: for the check of another's hash.
        compared = known or next(iter(hashes.values()), None)
        matches = compared is not None and _verify(password, compared)
        return known is not None and matches

    def _read(self) -> dict[str, str]:
        with self._lock:
            found = self._path.stat()
            version = (found.st_mtime_ns, found.st_size, found.st_ino)
            if version != self._version:
                self._hashes = _parse(self._path)
                self._version = version
            return self._hashes


def _parse(path: Path) -> dict[str, str]:
    hashes = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, colon, password_hash = line.strip().partition(":")
        # What follows a second colon is not the hash; Apache ignores it as well.
        password_hash = password_hash.partition(":")[0]
        scheme = _HASHES.identify(password_hash)
        if not (user and colon and scheme):
            LOG.warning("%s, line %d: there is no user with a hash that we know; ignored", path, number)
            continue
        if scheme in _WEAK:
            LOG.warning("%s, line %d: a weak hash (%s); make a new one with htpasswd -B", path, number, scheme)
        hashes[user] = password_hash
    return hashes


def _verify(password: str, password_hash: str) -> bool:
    secret = password.encode()
    if b"\0" in secret:
        return False
    if password_hash.startswith("$2"):
        secret = secret[:_BCRYPT_BYTES]
    return bool(_HASHES.verify(secret, password_hash))
