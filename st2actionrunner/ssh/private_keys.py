"""Private keys, from a file or from the text of a parameter."""

from __future__ import annotations

import io
from pathlib import Path

import paramiko

_TYPES: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey)


class UnusableKey(Exception):
    """There is no such key, or it cannot be read."""


def load(path_or_text: str, passphrase: str | None) -> paramiko.PKey:
    """The key in a file, with the certificate beside it (``<path>-cert.pub``) if there is one, or in a text.

    Raises:
        UnusableKey
    """
    if "-----BEGIN" in path_or_text:
        return _parse(path_or_text, passphrase, "The private key")
    path = Path(path_or_text).expanduser()
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise UnusableKey(f'The private key file "{path}" cannot be read: {reason}.') from error
    key = _parse(text, passphrase, f'The private key in "{path}"')
    certificate = Path(f"{path}-cert.pub")
    if certificate.is_file():
        key.load_certificate(str(certificate))
    return key


def _parse(text: str, passphrase: str | None, what: str) -> paramiko.PKey:
    # A text that came through a form or a template often has lost its last line break.
    text = text.strip() + "\n"
    for key_type in _TYPES:
        try:
            return key_type.from_private_key(io.StringIO(text), password=passphrase or None)
        except paramiko.PasswordRequiredException as error:
            raise UnusableKey(f"{what} is protected: it needs a passphrase.") from error
        except (paramiko.SSHException, ValueError, IndexError):
            # Not of this type; paramiko has no other way to ask.
            continue
    raise UnusableKey(f"{what} is no Ed25519, RSA or ECDSA key in OpenSSH or PEM form, or the passphrase is wrong.")
