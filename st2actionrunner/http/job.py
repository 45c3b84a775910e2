"""What the HTTP program is asked to do: one JSON document on its standard input, credentials included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class File:
    """A file that is uploaded as one part of a form; the part has its name."""

    name: str
    content: str
    content_type: str | None


@dataclass(frozen=True)
class Job:
    method: str
    url: str
    #: Added to the query of ``url``.
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    #: The body as text, sent in UTF-8; or None.
    body: str | None
    #: The fields of a form, or None.
    form: Mapping[str, Any] | None
    file: File | None
    #: Of basic authentication; both None: the request goes without.
    username: str | None
    password: str | None
    allow_redirects: bool
    verify: bool
    #: {"http" | "https": URL of a proxy}.
    proxies: Mapping[str, str]
    #: See :class:`~st2actionrunner.http.hosts.HostRules`.
    forbidden_hosts: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    result_path: str

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Job:
        fields: dict[str, Any] = json.loads(text)
        file = fields.pop("file")
        return cls(**fields, file=File(**file) if file else None)
