"""The connection to the database. Made after a fork, never before: neither pymongo nor gevent survives one."""

from __future__ import annotations

from typing import Any

import mongoengine
import pymongo
from pymongo.database import Database
from pymongo.write_concern import WriteConcern

Document = dict[str, Any]

# A write is acknowledged when it survives a crash of the server: the output log's promise rests on this.
DURABLE = WriteConcern(w="majority", j=True)

#: What a server of MongoDB's protocol calls a key that is there already.
DUPLICATE_KEY = 11000

# Seconds after which a silent connection counts as dead. Without it a half-open connection hangs its caller for ever.
SOCKET_TIMEOUT = 30


def connect(uri: str, db_name: str, connection_timeout_ms: int = 3000, **options: Any) -> Database[Document]:
    """Connect pymongo and mongoengine to one database. Does not wait: the first operation does.

    ``options`` go to the driver as they are (credentials, TLS, compression).
    """
    client: pymongo.MongoClient[Document] = mongoengine.connect(
        db_name,
        host=uri,
        uuidRepresentation="standard",
        connectTimeoutMS=connection_timeout_ms,
        socketTimeoutMS=SOCKET_TIMEOUT * 1000,
        serverSelectionTimeoutMS=connection_timeout_ms,
        **options,
    )
    return client.get_database(db_name, write_concern=DURABLE)


def disconnect() -> None:
    mongoengine.disconnect_all()
