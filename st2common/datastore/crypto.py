"""Encryption of values at rest, with the key files and in the ciphertext of existing installations.

A ciphertext is upper-case hex of: 5 header bytes (ignored on read), 16 bytes of IV, the AES-CBC of the padded UTF-8
text, and 20 bytes of HMAC-SHA1 over everything before. A key file is JSON::

    {"hmacKey": {"hmacKeyString": "<base64>", "size": 256}, "size": 256, "aesKeyString": "<base64>", "mode": "CBC"}
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from st2common.errors import ConfigError, ValidationError

_HEADER = b"00000"
_BLOCK = 16
_MAC_BYTES = 20
# Header, IV, at least one block, MAC.
_SHORTEST = len(_HEADER) + _BLOCK + _BLOCK + _MAC_BYTES

_AES_BITS = (128, 192, 256)
_LEAST_HMAC_BITS = 128
_NEW_KEY_BITS = 256


class DecryptionError(ValidationError):
    """The value is no ciphertext that was made with this key."""


class NoKeyFile(ValidationError):
    """Secrets need a key file: st2-generate-symmetric-crypto-key makes it, [keyvalue] encryption_key_path names it."""


@dataclass(frozen=True, repr=False)
class CryptoKey:
    """The two keys of a key file. Its ``repr`` shows neither."""

    aes: bytes
    hmac: bytes

    @classmethod
    def parse(cls, text: str) -> CryptoKey:
        """
        Raises:
            ConfigError: the text is no key file, or its keys are too short.
        """
        try:
            content = json.loads(text)
            mode, aes = content["mode"], _decoded(content["aesKeyString"])
            mac = _decoded(content["hmacKey"]["hmacKeyString"])
        except (ValueError, KeyError, TypeError) as error:
            # Not the error's text: it may quote the file.
            raise ConfigError(f"not a key file ({type(error).__name__})") from None
        if mode != "CBC":
            raise ConfigError("the only mode of a key file is CBC")
        if len(aes) * 8 not in _AES_BITS or len(mac) * 8 < _LEAST_HMAC_BITS:
            raise ConfigError(f"the keys must have at least {_LEAST_HMAC_BITS} bits")
        return cls(aes, mac)

    @classmethod
    def generate(cls) -> CryptoKey:
        return cls(os.urandom(_NEW_KEY_BITS // 8), os.urandom(_NEW_KEY_BITS // 8))

    def dump(self) -> str:
        """The text of a key file."""
        content: Mapping[str, Any] = {
            "hmacKey": {"hmacKeyString": _encoded(self.hmac), "size": len(self.hmac) * 8},
            "size": len(self.aes) * 8,
            "aesKeyString": _encoded(self.aes),
            "mode": "CBC",
        }
        return json.dumps(content)

    def encrypt(self, text: str) -> str:
        iv = os.urandom(_BLOCK)
        cipher, padding = self._cipher(iv)
        padder, encryptor = padding.padder(), cipher.encryptor()
        padded = padder.update(text.encode()) + padder.finalize()
        message: bytes = _HEADER + iv + encryptor.update(padded) + encryptor.finalize()
        return (message + self._mac(message)).hex().upper()

    def decrypt(self, ciphertext: str) -> str:
        """
        Raises:
            DecryptionError: it is no ciphertext, was made with another key, or was changed.
        """
        try:
            raw = bytes.fromhex(ciphertext)
        except ValueError:
            raise DecryptionError from None
        message, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if len(raw) < _SHORTEST or not hmac.compare_digest(self._mac(message), mac):
            raise DecryptionError
        start = len(_HEADER)
        iv, encrypted = message[start : start + _BLOCK], message[start + _BLOCK :]
        cipher, padding = self._cipher(iv)
        decryptor, unpadder = cipher.decryptor(), padding.unpadder()
        try:
            padded = decryptor.update(encrypted) + decryptor.finalize()
            text: str = (unpadder.update(padded) + unpadder.finalize()).decode()
            return text
        except ValueError:  # not whole blocks, no padding, or no UTF-8: the holder of the key wrote something else
            raise DecryptionError from None

    def _cipher(self, iv: bytes) -> tuple[Any, Any]:
        # Here, because it is some megabytes in each daemon, and most of them never encrypt anything.
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7

        return Cipher(algorithms.AES(self.aes), modes.CBC(iv)), PKCS7(_BLOCK * 8)

    def _mac(self, message: bytes) -> bytes:
        return hmac.digest(self.hmac, message, "sha1")


class KeyFile:
    """The key file of the configuration, read when it is needed: one that is put there later needs no restart."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Without a path nothing can be encrypted or decrypted."""
        self._path = Path(path) if path else None

    @classmethod
    def of_config(cls, config: cfg.ConfigOpts) -> KeyFile:
        return cls(config.keyvalue.encryption_key_path if config.keyvalue.enable_encryption else None)

    def key(self) -> CryptoKey:
        """
        Raises:
            NoKeyFile: none is configured, or it is not there.
            ConfigError: it cannot be read, or is not valid.
        """
        if self._path is None:
            raise NoKeyFile
        try:
            return CryptoKey.parse(self._path.read_text())
        except FileNotFoundError:
            raise NoKeyFile from None
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            raise ConfigError(f"[keyvalue] encryption_key_path {self._path}: {error}") from error


def _encoded(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Base64url with or without its padding."""
    bare = text.rstrip("=").encode("ascii")
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
