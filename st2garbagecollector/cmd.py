"""The garbage collector daemon. SIGUSR2 has it do its work now."""

from gevent import monkey

monkey.patch_all()

import signal  # noqa: E402 - nothing may be imported before the patch
from collections.abc import Sequence  # noqa: E402

from oslo_config import cfg  # noqa: E402
from pymongo.database import Database  # noqa: E402

from st2common import daemon  # noqa: E402
from st2common.models.connection import Document  # noqa: E402
from st2common.service import Service  # noqa: E402
from st2common.transport.port import Transport  # noqa: E402
from st2garbagecollector.service import GarbageCollectorService  # noqa: E402


def main() -> int:
    return daemon.main("st2garbagecollector", _build)


def _build(config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> Sequence[Service]:
    collector = GarbageCollectorService(config=config, database=database, transport=transport)
    signal.signal(signal.SIGUSR2, lambda _number, _frame: collector.run_now())
    return [collector]
