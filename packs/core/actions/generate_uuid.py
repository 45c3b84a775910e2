from __future__ import annotations

import uuid

from st2common.runners.base_action import Action


class GenerateUUID(Action):
    def run(self, uuid_type: str) -> str:
        return str(uuid.uuid1() if uuid_type == "uuid1" else uuid.uuid4())
