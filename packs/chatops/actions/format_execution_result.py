from __future__ import annotations

from typing import Any

from st2common.runners import chatops
from st2common.runners.base_action import Action


class FormatExecutionResult(Action):
    def run(self, execution_id: str) -> dict[str, Any]:
        return chatops.told(execution_id)
