"""The garbage collector daemon."""

from gevent import monkey

monkey.patch_all()

from st2common import daemon  # noqa: E402 - nothing may be imported before the patch
from st2garbagecollector.service import GarbageCollectorService  # noqa: E402 - nothing may be imported before the patch


def main() -> int:
    return daemon.main(
        "st2garbagecollector",
        lambda config, database, transport: [
            GarbageCollectorService(config=config, database=database, transport=transport)
        ],
    )
