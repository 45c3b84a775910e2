"""The action runner daemon."""

from gevent import monkey

monkey.patch_all()

from st2actionrunner.service import RunnerService  # noqa: E402 - nothing may be imported before the patch
from st2common import daemon  # noqa: E402 - nothing may be imported before the patch


def main() -> int:
    return daemon.main(
        "st2actionrunner",
        lambda config, database, transport: [RunnerService(config=config, database=database, transport=transport)],
    )
