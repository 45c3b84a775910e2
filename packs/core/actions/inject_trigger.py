from __future__ import annotations

import os
from typing import Any

import requests

from st2common.runners.base_action import Action

# Seconds.
_TIMEOUT = 30


class InjectTrigger(Action):
    def run(self, trigger: str, payload: dict[str, Any] | None = None, trace_tag: str | None = None) -> Any:
        headers = {"X-Auth-Token": os.environ.get("ST2_ACTION_AUTH_TOKEN", "")}
        if trace_tag:
            headers["St2-Trace-Tag"] = trace_tag
        url = os.environ["ST2_ACTION_API_URL"] + "/webhooks/st2"
        event = {"trigger": trigger, "payload": payload or {}}
        answer = requests.post(url, json=event, headers=headers, timeout=_TIMEOUT)
        if answer.ok:
            return True, event
        return False, {"error": _reason(answer)}


def _reason(answer: requests.Response) -> str:
    try:
        return str(answer.json()["faultstring"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason}"
