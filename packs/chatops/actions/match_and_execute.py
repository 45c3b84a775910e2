from __future__ import annotations

from st2common.runners import chatops
from st2common.runners.action_service import ApiError
from st2common.runners.base_action import Action


class MatchAndExecute(Action):
    def run(self, text: str, source_channel: str | None = None, user: str | None = None) -> tuple[bool, str]:
        try:
            return True, chatops.execute(text, source_channel or "", user)
        except ApiError as error:
            return False, str(error)
