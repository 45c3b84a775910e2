"""Indexes of packs: JSON documents ``{"packs": {name: {...}}}`` that say where each pack can be got from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request

from st2common import STACKSTORM_VERSION
from st2common.content import guarded_fetch
from st2common.models.connection import Document

_SCHEMES = ("https", "http", "file")
# Seconds, and bytes: the largest index that is known has 1 MB.
_TIMEOUT = 10.0
_MAX_BYTES = 32 * 1024 * 1024

# What a search looks into.
_SEARCHED = ("name", "ref", "description", "keywords", "author")


@dataclass(frozen=True)
class PackIndex:
    """All indexes in one; of packs with the same name the one of the first index counts."""

    packs: Mapping[str, Document]
    #: For each index ``{url, message, error, packs}``; ``error`` is None or a word.
    status: Sequence[Document]

    def search(self, text: str) -> list[Document]:
        """The packs that have ``text`` in their name, description, keywords or author."""
        wanted = text.lower()
        return [pack for pack in self.packs.values() if any(wanted in part.lower() for part in _texts(pack))]

    def health(self) -> Document:
        errors: dict[str, int] = {}
        for status in self.status:
            if status["error"]:
                errors[status["error"]] = errors.get(status["error"], 0) + 1
        invalid = sum(errors.values())
        return {
            "indexes": {
                "count": len(self.status),
                "valid": len(self.status) - invalid,
                "invalid": invalid,
                "errors": errors,
                "status": list(self.status),
            },
            "packs": {"count": len(self.packs)},
        }


def fetch(urls: Sequence[str]) -> PackIndex:
    """Read all indexes. One that cannot be read is told in the status, and the others are used."""
    packs: dict[str, Document] = {}
    status = []
    for url in urls:
        found, error, message = _fetch_one(url)
        for name, pack in found.items():
            packs.setdefault(name, pack)
        status.append({"url": _public(url), "message": message, "error": error, "packs": len(found)})
    return PackIndex(packs, status)


class Once:
    """The indexes of these addresses, read when they are asked for, and only then."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._index: PackIndex | None = None

    def get(self) -> PackIndex:
        if self._index is None:
            self._index = fetch(self._urls)
        return self._index


def _fetch_one(url: str) -> tuple[dict[str, Document], str | None, str]:
    """({name: pack}, a word for the error or None, a message)."""
    if urlsplit(url).scheme not in _SCHEMES:
        return {}, "malformed", f"The address must begin with one of {', '.join(_SCHEMES)}"
    request = Request(url, headers={"User-Agent": f"st2/v{STACKSTORM_VERSION}"})  # noqa: S310 - checked above
    try:
        content = guarded_fetch.fetch(request, _TIMEOUT, _MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        return {}, "unresponsive", str(reason)
    if len(content) > _MAX_BYTES:
        return {}, "malformed", f"larger than {_MAX_BYTES} bytes"
    try:
        packs = json.loads(content)["packs"]
        found = {str(name): dict(pack) for name, pack in packs.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}, "malformed", 'A JSON document with an object "packs" is expected'
    if not found:
        return {}, "empty", "The index has no packs"
    return found, None, "Success."


def _texts(pack: Mapping[str, Any]) -> list[str]:
    texts = []
    for name in _SEARCHED:
        value = pack.get(name)
        texts += [str(item) for item in value] if isinstance(value, list) else [str(value or "")]
    return texts


def _public(url: str) -> str:
    """The address without a password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
