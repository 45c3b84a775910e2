"""Tokens of running actions: valid while the attempt that they were made for runs, and not a moment longer.

Nothing has to be revoked, and a runner that restarts need not know them: the claim of an execution stores the hash of
its token in the execution's own document (``action_token``), and the token says which execution that is. When the
execution completes, or another attempt claims it, the token is worth nothing.
"""

from __future__ import annotations

import hmac
import re
import secrets

from st2common.auth.identity import Identity, Kind
from st2common.auth.tokens import hashed
from st2common.models.executions import Executions
from st2common.models.statuses import CLAIMABLE, COMPLETED, Status

#: Of the stored execution: the hash.
FIELD = "action_token"
#: Of the execution in the memory of the runner that claimed it: the token itself.
PLAIN = "auth_token"

_SECRET_BYTES = 20
# An execution's id, then what nobody can guess.
_TOKEN = re.compile(r"([0-9a-f]{24})[0-9a-f]{40}")


def new_token(execution_id: str) -> str:
    return execution_id + secrets.token_hex(_SECRET_BYTES)


def claimed_with(token: str | None) -> dict[str, str]:
    """What a claim stores so that ``token`` is the action's."""
    return {FIELD: hashed(token)} if token else {}


class ActionTokens:
    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    def identity(self, token: str) -> Identity | None:
        """The user as whom the action runs; None for what is no token of an action that runs."""
        form = _TOKEN.fullmatch(token)
        if form is None:
            return None
        execution_id = form[1]
        found = self._executions.get(execution_id, {"status": 1, FIELD: 1, "context.user": 1})
        # What may be claimed waits for its next attempt: the last one is given up.
        if found is None or Status(found["status"]) in COMPLETED | CLAIMABLE:
            return None
        if not hmac.compare_digest(found.get(FIELD) or "", hashed(token)):
            return None
        return Identity(found["context"]["user"], Kind.TOKEN, execution_id=execution_id)
