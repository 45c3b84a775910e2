"""A rules engine for tests that kill it. Arguments: <database uri> <database> <broker url> <prefix>."""

from __future__ import annotations

import sys
import threading

from gevent import monkey

monkey.patch_all()

from st2common import config as configuration  # noqa: E402 - nothing may be imported before the patch
from st2common.models import connection  # noqa: E402
from st2common.transport.amqp import AmqpTransport  # noqa: E402
from st2rulesengine.service import RulesEngineService  # noqa: E402


def main(database_uri: str, name: str, broker: str, prefix: str) -> None:
    database = connection.connect(database_uri, name)
    transport = AmqpTransport(broker, prefix=prefix)
    config = configuration.load([], "st2rulesengine")
    service = RulesEngineService(config=config, database=database, transport=transport)
    service.start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
