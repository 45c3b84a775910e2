from __future__ import annotations

from typing import Any

from st2common.runners import chatops
from st2common.runners.base_action import Action


class PostResult(Action):
    def run(
        self,
        execution_id: str,
        channel: str,
        whisper: bool,
        user: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> str | None:
        """The id of the execution that posts it; None where the alias wants nothing said."""
        message = chatops.told(execution_id)
        return chatops.post(message, channel, user, whisper, context) if message["enabled"] else None
