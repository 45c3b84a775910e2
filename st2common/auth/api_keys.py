"""API keys: for programs; they live until somebody disables or deletes them. Stored as hashes.

The document in ``api_key_d_b``::

    _id         ObjectId
    uid         api_key:<key_hash>
    user        whose key it is
    key_hash    SHA-512 of the salt and the key, hex: the family's scheme, so that its dumps of keys can be loaded
    metadata    {..}
    created_at  microseconds since the epoch
    enabled     a disabled key opens nothing
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.auth.identity import Identity, Kind
from st2common.clock import isoformat, now_us
from st2common.errors import ConflictError
from st2common.models.connection import Document

COLLECTION = "api_key_d_b"

INDEXES = [IndexModel([("key_hash", ASCENDING)], name="key_hash", unique=True)]

MASK = "********"

# The same for all keys: they are random and long, so a salt has nothing to protect.
_SALT = "saltnpepper"
_KEY_BYTES = 32


class ApiKeys:
    def __init__(self, database: Database[Document]) -> None:
        self._collection = database[COLLECTION]

    def ensure_indexes(self) -> None:
        self._collection.create_indexes(INDEXES)

    def identity(self, key: str) -> Identity | None:
        """Whose key it is; None for one that is unknown or disabled."""
        key_hash = hashed(key)
        found = self._collection.find_one({"key_hash": key_hash})
        if found is None or not hmac.compare_digest(found["key_hash"], key_hash) or not found["enabled"]:
            return None
        return Identity(found["user"], Kind.API_KEY, credential_id=str(found["_id"]))

    def get(self, id_or_key: str) -> Document | None:
        return self._collection.find_one(_named(id_or_key))

    def find(self, limit: int | None, offset: int) -> tuple[list[Document], int]:
        """A page of all keys, the oldest first, and how many there are."""
        found = self._collection.find({}).sort("_id", ASCENDING).skip(offset).limit(limit or 0)
        return list(found), self._collection.count_documents({})

    def create(
        self,
        user: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        enabled: bool = True,
        key_hash: str | None = None,
        identity: str | None = None,
        created_at: int | None = None,
    ) -> tuple[Document, str | None]:
        """The stored key, and the key itself: nobody learns it again. None where it is made from its ``key_hash``.

        Raises:
            ConflictError: there is a key with this hash or this id.
        """
        key = None if key_hash else secrets.token_hex(_KEY_BYTES)
        key_hash = key_hash or hashed(str(key))
        stored: Document = {
            "_id": ObjectId(identity),
            "uid": f"api_key:{key_hash}",
            "user": user,
            "key_hash": key_hash,
            "metadata": dict(metadata or {}),
            "created_at": now_us() if created_at is None else created_at,
            "enabled": enabled,
        }
        try:
            self._collection.insert_one(stored)
        except DuplicateKeyError as error:
            other = self._collection.find_one({"$or": [{"key_hash": key_hash}, {"_id": stored["_id"]}]}, {"_id": 1})
            raise ConflictError("This API key exists already.", str(other["_id"]) if other else None) from error
        return stored, key

    def change(self, id_or_key: str, *, user: str, metadata: Mapping[str, Any], enabled: bool) -> Document | None:
        """The key as it is then; None where there is none."""
        changes = {"user": user, "metadata": dict(metadata), "enabled": enabled}
        return self._collection.find_one_and_update(
            _named(id_or_key), {"$set": changes}, return_document=ReturnDocument.AFTER
        )

    def delete(self, id_or_key: str) -> bool:
        """Whether there was such a key."""
        return bool(self._collection.delete_one(_named(id_or_key)).deleted_count)


def _named(id_or_key: str) -> Document:
    return {"_id": ObjectId(id_or_key)} if ObjectId.is_valid(id_or_key) else {"key_hash": hashed(id_or_key)}


def hashed(key: str) -> str:
    return hashlib.sha512((_SALT + key).encode()).hexdigest()


def to_api(stored: Mapping[str, Any], mask_secrets: bool = True) -> Document:
    """The form that clients see."""
    return {
        "id": str(stored["_id"]),
        "uid": MASK if mask_secrets else stored["uid"],
        "user": stored["user"],
        "key_hash": MASK if mask_secrets else stored["key_hash"],
        "metadata": stored["metadata"],
        "created_at": isoformat(stored["created_at"]),
        "enabled": stored["enabled"],
    }
