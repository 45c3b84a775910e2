"""The database of an installation, for a command that asks it something and ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pymongo.database import Database

from st2common.config.clients import database_location
from st2common.models import connection
from st2common.models.connection import Document
from st2ctl.installation import Installation


@contextlib.contextmanager
def connected(installation: Installation) -> Iterator[Database[Document]]:
    """Does not wait for one that is away: the first question raises ``PyMongoError``."""
    settings = installation.config.database
    uri, options = database_location(installation.config)
    try:
        yield connection.connect(uri, settings.db_name, settings.connection_timeout, **options)
    finally:
        connection.disconnect()


def drop(installation: Installation) -> None:
    with connected(installation) as database:
        database.client.drop_database(database.name)
