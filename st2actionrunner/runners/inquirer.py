"""``inquirer``: a question to people. It leaves the runner at once and waits in the database for an answer."""

from __future__ import annotations

from typing import Any

from st2actionrunner.launch import RunnerError, RunRequest, Settled
from st2common.clock import now_us
from st2common.errors import ValidationError
from st2common.models.statuses import Status
from st2common.services.inquiries import check_schema

_MINUTE_US = 60 * 1_000_000


class Inquirer:
    """Runner of ``inquirer``."""

    def settle(self, run: RunRequest) -> Settled:
        asked: dict[str, Any] = {
            name: run.runner_parameters.get(name) for name in ("schema", "roles", "users", "route", "ttl")
        }
        asked |= {"roles": asked["roles"] or [], "users": asked["users"] or [], "route": asked["route"] or ""}
        try:
            check_schema(asked["schema"])
        except ValidationError as error:
            # Better now than to everybody who tries to answer.
            raise RunnerError(f'The parameter "schema": {error}') from error
        ttl = asked["ttl"] or 0
        return Settled(Status.PENDING, asked, pending_until=now_us() + ttl * _MINUTE_US if ttl > 0 else None)
