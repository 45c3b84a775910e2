"""Tokens: what a login gives, for a limited time. Stored as hashes: whoever reads the database cannot use them.

The document in ``token_d_b``::

    _id         ObjectId
    user        whose token it is
    token_hash  SHA-256 of the token, hex
    expiry      date from which on it is worth nothing, and which the database removes it soon after
    metadata    {..}
    service     True for a token of a service of the platform, not of a person
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from st2common.auth.identity import Identity, Kind
from st2common.models.connection import Document

COLLECTION = "token_d_b"

INDEXES = [
    IndexModel([("token_hash", ASCENDING)], name="token_hash", unique=True),
    IndexModel([("expiry", ASCENDING)], name="expiry", expireAfterSeconds=0),
]

# 32 hexadecimal characters, as the family's clients know them. Too much to guess, so a fast hash protects it.
_TOKEN_BYTES = 16


@dataclass(frozen=True)
class NewToken:
    """A token at the one moment when it is known."""

    id: str
    user: str
    token: str
    expiry: datetime
    metadata: Mapping[str, Any]


class Tokens:
    def __init__(self, database: Database[Document]) -> None:
        self._collection = database[COLLECTION]

    def ensure_indexes(self) -> None:
        self._collection.create_indexes(INDEXES)

    def create(
        self, user: str, ttl: int, *, service: bool = False, metadata: Mapping[str, Any] | None = None
    ) -> NewToken:
        """A new token that lives for ``ttl`` seconds."""
        token = secrets.token_hex(_TOKEN_BYTES)
        # The database keeps milliseconds.
        now = datetime.now(UTC)
        expiry = now.replace(microsecond=now.microsecond // 1000 * 1000) + timedelta(seconds=ttl)
        stored: Document = {
            "_id": ObjectId(),
            "user": user,
            "token_hash": hashed(token),
            "expiry": expiry,
            "metadata": dict(metadata or {}),
            "service": service,
        }
        self._collection.insert_one(stored)
        return NewToken(str(stored["_id"]), user, token, expiry, stored["metadata"])

    def identity(self, token: str) -> Identity | None:
        """Whose token it is; None for one that is unknown, expired or revoked."""
        token_hash = hashed(token)
        found = self._collection.find_one({"token_hash": token_hash})
        if found is None or not hmac.compare_digest(found["token_hash"], token_hash):
            return None
        # The driver gives dates of the database without a zone: they are UTC.
        expiry = found["expiry"].replace(tzinfo=UTC)
        # The database removes what has expired a minute later or so.
        if expiry <= datetime.now(UTC):
            return None
        expires = int(expiry.timestamp() * 1_000_000)
        return Identity(found["user"], Kind.TOKEN, expires=expires, credential_id=str(found["_id"]))

    def extend(self, token: str, ttl: int) -> None:
        """Let a token that has not been revoked live for ``ttl`` seconds from now on."""
        expiry = datetime.now(UTC) + timedelta(seconds=ttl)
        self._collection.update_one({"token_hash": hashed(token)}, {"$set": {"expiry": expiry}})

    def revoke(self, token: str) -> bool:
        """Whether there was such a token."""
        return bool(self._collection.delete_one({"token_hash": hashed(token)}).deleted_count)


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
