"""Names as parts of the API's paths."""

from __future__ import annotations


def segment(name: str) -> str:
    """A name as one part of a path."""
    from urllib.parse import quote

    return quote(name, safe="")
