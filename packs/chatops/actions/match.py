from __future__ import annotations

from typing import Any

from st2common.runners import chatops
from st2common.runners.action_service import ApiError
from st2common.runners.base_action import Action


class Match(Action):
    def run(self, text: str) -> tuple[bool, dict[str, Any] | str]:
        try:
            found = chatops.match(text)
        except ApiError as error:
            return False, str(error)
        return True, {"alias": found["actionalias"]["ref"], "representation": found["representation"]}
