"""What the keeper says into its log."""

from __future__ import annotations

import contextlib
import os

_STDERR = 2


def complain(text: str) -> None:
    """The disk that the log lies on may be full: then nobody hears it, and nothing else happens."""
    with contextlib.suppress(OSError):
        os.write(_STDERR, f"{text}\n".encode(errors="backslashreplace"))
