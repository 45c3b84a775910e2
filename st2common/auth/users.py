"""What is known of users beside their credentials: who is a service, and by which names chat systems know a person.

The document in ``user_d_b``::

    name        as it logs in
    is_service  True: it may get tokens for other users
    nicknames   {origin: name there}
"""

from __future__ import annotations

from pymongo.database import Database

from st2common.models.connection import Document

COLLECTION = "user_d_b"


class Users:
    def __init__(self, database: Database[Document]) -> None:
        self._collection = database[COLLECTION]

    def is_service(self, name: str) -> bool:
        return self._collection.find_one({"name": name, "is_service": True}, {"_id": 1}) is not None

    def named(self, nickname: str, origin: str) -> str | None:
        """The user whom ``origin`` knows by this name."""
        # Not a path of the query: what a client calls an origin could be any.
        for found in self._collection.find({"nicknames": {"$ne": None}}, {"name": 1, "nicknames": 1}):
            if found["nicknames"].get(origin) == nickname:
                return str(found["name"])
        return None
