"""What the WinRM program is asked to do: one JSON document on its standard input, the password included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Job:
    endpoint: str
    #: One of those of pywinrm: ntlm, basic, ...
    transport: str
    username: str
    password: str
    #: Whether the host's certificate must be one that we trust.
    verify: bool
    #: A line for cmd.exe.
    command: str
    #: What the command reads, as a PowerShell script; or None.
    script: str | None
    #: Directory on the host.
    cwd: str | None
    #: Environment on the host.
    variables: Mapping[str, str]
    result_path: str

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Job:
        return cls(**json.loads(text))
