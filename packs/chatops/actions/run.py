from __future__ import annotations

from st2common.runners import chatops
from st2common.runners.action_service import ApiError
from st2common.runners.base_action import Action


class Run(Action):
    def run(self, text: str, channel: str, whisper: bool, user: str | None = None) -> str:
        """The id of the execution that posts the answer: how the command has ended, or why it could not be run."""
        try:
            message = chatops.told(chatops.execute(text, channel, user))
        except ApiError as error:
            message = {"enabled": True, "message": str(error)}
        return chatops.post(message, channel, user, whisper)
