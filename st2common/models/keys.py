"""Keys and values of the datastore.

The document in ``key_value_pair_d_b``, unique by scope and name::

    _id               ObjectId
    uid               key_value_pair:<scope>:<name>
    scope             st2kv.system or st2kv.user
    name              in the scope of users: <user>:<name>
    value             text; of a secret its ciphertext
    secret            whether the value is encrypted
    description       absent where there is none
    expire_timestamp  date from which on nobody sees the item, which the database removes soon after; absent: never
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.errors import ConflictError
from st2common.models.connection import Document

COLLECTION = "key_value_pair_d_b"

SYSTEM_SCOPE = "st2kv.system"
USER_SCOPE = "st2kv.user"

INDEXES = [
    IndexModel([("scope", ASCENDING), ("name", ASCENDING)], name="scope_name", unique=True),
    IndexModel([("expire_timestamp", ASCENDING)], name="expire_timestamp", expireAfterSeconds=0),
]

# Writers that make and delete one key all the time can keep one another from it; nobody else needs a third attempt.
_ATTEMPTS = 10

# Sorts behind every text that goes on behind a prefix.
_LAST_CHARACTER = "\U0010ffff"


class Keys:
    """The stored items; expired ones do not exist."""

    def __init__(self, database: Database[Document]) -> None:
        self.collection = database[COLLECTION]

    def ensure_indexes(self) -> None:
        self.collection.create_indexes(INDEXES)

    def get(self, scope: str, name: str) -> Document | None:
        item = self.collection.find_one({"scope": scope, "name": name})
        return item if item and not _expired(item) else None

    def put(self, item: Mapping[str, Any]) -> Document:
        """Store an item (without ``_id`` and ``uid``) in place of what its name has had; as it is stored."""
        scope, name = item["scope"], item["name"]
        complete = {**item, "uid": f"key_value_pair:{scope}:{name}"}
        for _ in range(_ATTEMPTS):
            identity = self._replace(scope, name, complete)
            if identity is not None:
                return {**complete, "_id": identity}
        raise ConflictError(f'Too many are writing the key "{name}" at once.')

    def _replace(self, scope: str, name: str, complete: Document) -> ObjectId | None:
        """The id; None where somebody else has made the same new key meanwhile: now it is there to be replaced."""
        try:
            # Not find-and-modify, for which the embedded database reads the whole collection.
            replaced = self.collection.replace_one({"scope": scope, "name": name}, complete, upsert=True)
        except DuplicateKeyError:
            return None
        if replaced.upserted_id is not None:
            identity: ObjectId = replaced.upserted_id
            return identity
        stored = self.collection.find_one({"scope": scope, "name": name}, {"_id": 1})
        return stored["_id"] if stored else None

    def delete(self, scope: str, name: str) -> bool:
        """Whether there was something to delete."""
        there = self.get(scope, name) is not None
        return there and bool(self.collection.delete_one({"scope": scope, "name": name}).deleted_count)

    def find(
        self,
        scope: str,
        *,
        prefix: str = "",
        names: Collection[str] = (),
        sort: Sequence[tuple[str, int]] = (("name", ASCENDING),),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Document]:
        """Items whose name begins with ``prefix`` and, where ``names`` are given, is one of these."""
        named: Document = {}
        if prefix:
            named |= {"$gte": prefix, "$lt": prefix + _LAST_CHARACTER}
        if names:
            named |= {"$in": list(names)}
        found = self.collection.find({"scope": scope, **({"name": named} if named else {})}).sort(sort)
        alive = (item for item in found if not _expired(item))
        return list(islice(alive, offset, None if limit is None else offset + limit))


def _expired(item: Document) -> bool:
    """The database removes it a minute later or so. It is not asked for this: the embedded one uses an index of two
    fields for conditions on these two alone."""
    expires = item.get("expire_timestamp")
    return expires is not None and expires.replace(tzinfo=UTC) <= datetime.now(UTC)


def to_api(stored: Mapping[str, Any], plain: str | None = None) -> Document:
    """The form that clients see; ``plain`` is the decrypted value of a secret, where it is to be shown."""
    scope, name = stored["scope"], stored["name"]
    user = None
    if scope == USER_SCOPE:
        user, _, name = name.partition(":")
    secret = bool(stored.get("secret"))
    shown = {
        "uid": stored.get("uid") or f"key_value_pair:{scope}:{stored['name']}",
        "scope": scope,
        "name": name,
        "description": stored.get("description"),
        "value": stored["value"] if plain is None else plain,
        "secret": secret,
        "encrypted": secret and plain is None,
        "expire_timestamp": _isoformat(stored.get("expire_timestamp")),
        "user": user,
        "id": str(stored["_id"]),
    }
    return {key: value for key, value in shown.items() if value is not None}


def _isoformat(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
