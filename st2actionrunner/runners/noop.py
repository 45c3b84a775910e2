"""``noop``: succeeds, whatever its parameters."""

from __future__ import annotations

import os
from typing import Any

from st2actionrunner.launch import Launch, Outcome, RunRequest
from st2actionrunner.runners.results import shell_result
from st2common.models.statuses import Status
from st2common.runners.python_environment import public_part


class Noop:
    """Runner of ``noop``. A process like any other, so that everything on the way from start to end is exercised."""

    def prepare(self, run: RunRequest) -> Launch:
        return Launch(argv=["true"], env=public_part(os.environ))

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        status, result = shell_result(outcome, timeout=None)
        return status, {name: value for name, value in result.items() if name not in ("stdout", "stderr")}
