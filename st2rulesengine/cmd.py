"""The rules engine daemon: it turns events into executions, and goes on with the workflows among these."""

from gevent import monkey

monkey.patch_all()

from st2common import daemon  # noqa: E402 - nothing may be imported before the patch
from st2rulesengine.service import RulesEngineService  # noqa: E402 - nothing may be imported before the patch
from st2rulesengine.workflows.service import WorkflowEngineService  # noqa: E402 - nothing may be imported before the patch


def main() -> int:
    return daemon.main(
        "st2rulesengine",
        lambda config, database, transport: [
            RulesEngineService(config=config, database=database, transport=transport),
            WorkflowEngineService(config=config, database=database, transport=transport),
        ],
    )
