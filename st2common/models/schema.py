"""Which version of its documents a database has: a release works on its own version alone, and ``st2-db migrate`` makes
it of an older one.

The version is one document in a collection of its own: ``{"_id": "schema", "version": 1}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pymongo.database import Database

from st2common.errors import ConfigError
from st2common.models.connection import Document

COLLECTION = "schema_version"

# The version of databases that are older than their record of it.
_FIRST = 1

# {version: what makes it of the version before}. Each is idempotent: cut off anywhere, it is begun again.
MIGRATIONS: Mapping[int, Callable[[Database[Document]], None]] = {}


def needed() -> int:
    """The version that this release works on."""
    return max(MIGRATIONS, default=_FIRST)


def stored(database: Database[Document]) -> int:
    """The version of the database; one that is empty will be of ours."""
    # In this order: whoever makes a collection has recorded the version before.
    empty = not database.list_collection_names()
    record = database[COLLECTION].find_one({"_id": "schema"})
    if record:
        return int(record["version"])
    return needed() if empty else _FIRST


def problem(version: int) -> str | None:
    """What is wrong with a database of that version, and what to do; None when it is ours."""
    if version > needed():
        return (
            f"the database has schema version {version}, of a later release; this one knows versions up to {needed()}: "
            "install the later release on this host"
        )
    if version < needed():
        return f"the database has schema version {version}, this release needs {needed()}: run st2-db migrate"
    return None


def require_ours(database: Database[Document]) -> None:
    """To be called before anything is stored.

    Raises:
        ConfigError: this release does not work on the version of the database.
    """
    version = stored(database)
    if wrong := problem(version):
        raise ConfigError(f"[database] {wrong}")
    _record(database, version)


def migrate(database: Database[Document]) -> list[int]:
    """Make our version of an older one, step by step; the versions that were made. Daemons are stopped meanwhile.

    Raises:
        ConfigError: the database has a later version.
    """
    version = stored(database)
    if version > needed():
        raise ConfigError(f"[database] {problem(version)}")
    steps = list(range(version + 1, needed() + 1))
    for step in steps:
        MIGRATIONS[step](database)
        _record(database, step)
    return steps


def _record(database: Database[Document], version: int) -> None:
    """Never backwards: two commands may migrate at the same time."""
    database[COLLECTION].update_one({"_id": "schema"}, {"$max": {"version": version}}, upsert=True)
