"""Secrets that a running action gets to know: stored with its execution, and told to the runner that stores its log."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pymongo.database import Database

from st2common.errors import NotFound, TransportError, ValidationError
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.transport.port import SCHEMA_VERSION, Transport
from st2common.transport.topology import SECRETS

# Of one execution, those of its templates included. Everything that it prints is searched for each.
MAX_SECRETS = 1000
MAX_CHARACTERS = 1024 * 1024

# Seconds that a runner has to answer: it may be restarting, and without the broker it looks every ten seconds.
_PATIENCE = 30.0
# Seconds between two looks whether it has.
_FIRST_LOOK = 0.005
_LATER_LOOK = 0.25


def register(database: Database[Document], transport: Transport, execution_id: str, secrets: Sequence[str]) -> None:
    """When this returns, the secrets are masked in whatever the execution prints from then on.

    Raises:
        NotFound: there is no such execution.
        ValidationError: it does not run, or has registered too much.
        TransportError: its runner could not be told. What is to be kept secret must not be used yet; asking again is
            safe.
    """
    executions = Executions(database)
    known = executions.get(execution_id, {"decrypted": 1, "registrations": 1, "registrations_known": 1})
    if known is None:
        raise NotFound(f'Unable to identify resource with id "{execution_id}".')
    before = set(known.get("decrypted") or ())
    new = [secret for secret in dict.fromkeys(secrets) if secret and secret not in before]
    if not new and known.get("registrations", 0) == known.get("registrations_known", 0):
        return
    if len(before) + len(new) > MAX_SECRETS or sum(map(len, [*before, *new])) > MAX_CHARACTERS:
        raise ValidationError(
            f"An execution can have {MAX_SECRETS} secrets of {MAX_CHARACTERS} characters in all; these would be more."
        )
    held = executions.register_secrets(execution_id, new)
    if held is None or not held.get("owner"):
        raise ValidationError("Only an action that runs can register secrets.")
    transport.notify(SECRETS, held["owner"], {"v": SCHEMA_VERSION, "execution_id": execution_id})
    _wait_until_known(executions, execution_id, held["registrations"])


def _wait_until_known(executions: Executions, execution_id: str, registrations: int) -> None:
    end, pause = time.monotonic() + _PATIENCE, _FIRST_LOOK
    while True:
        found = executions.get(execution_id, {"registrations_known": 1})
        if found is not None and found.get("registrations_known", 0) >= registrations:
            return
        if time.monotonic() > end:
            raise TransportError(
                "The runner of this execution does not answer: it cannot mask the secret yet. Try again."
            )
        time.sleep(pause)
        pause = min(pause * 2, _LATER_LOOK)
