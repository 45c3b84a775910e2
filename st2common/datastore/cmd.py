"""``st2-generate-symmetric-crypto-key``: make the key file with which the datastore encrypts secrets."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from st2common.datastore.crypto import CryptoKey


def main(args: Sequence[str] | None = None) -> int:
    """0: the file is written; 1: it is not."""
    options = _parse(sys.argv[1:] if args is None else args)
    try:
        _write(options.key_path, CryptoKey.generate().dump(), replace=options.force)
    except FileExistsError:
        print(
            f"{options.key_path} exists. Replacing it makes every value that it encrypted unreadable: "
            "if that is what you want, say --force.",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        print(f"{options.key_path} cannot be written: {error.strerror or error}", file=sys.stderr)
        return 1
    print(
        f"Key written to {options.key_path}. Keep a copy of it in a safe place, let the user of the daemons read it, "
        "and set [keyvalue] encryption_key_path."
    )
    return 0


def _parse(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="st2-generate-symmetric-crypto-key", description=__doc__, allow_abbrev=False)
    parser.add_argument("--key-path", "-k", type=Path, required=True, help="where to write the key")
    parser.add_argument("--force", "-f", action="store_true", help="replace the file if there is one")
    # Other tools of the family take these everywhere.
    parser.add_argument("--config-file", action="append", help=argparse.SUPPRESS)
    parser.add_argument("--config-dir", action="append", help=argparse.SUPPRESS)
    return parser.parse_args(args)


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Nobody but the owner may read it, not even while it is written."""
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(descriptor, "w") as file:
            file.write(text + "\n")
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
