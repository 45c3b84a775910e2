"""Who a request comes from, and by which credential we know."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a credential is. The values are what clients are told."""

    TOKEN = "authentication token"  # noqa: S105 - a name, not a secret
    API_KEY = "API key"
    #: The request itself is signed with a secret that it shares with the platform.
    SIGNATURE = "signature"
    #: Nobody is asked: everybody is the system's user.
    NONE = "no authentication"


@dataclass(frozen=True)
class Identity:
    user: str
    kind: Kind
    #: Microseconds since the epoch from which on the credential is worth nothing; None: it has no such time.
    expires: int | None = None
    #: The execution that the token was made for; None for a credential of a person or a program.
    execution_id: str | None = None
    #: The id of the API key or token itself.
    credential_id: str | None = field(default=None, compare=False)
