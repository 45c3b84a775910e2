"""The policy ``action.retry``: after its end, an execution that failed or took too long is requested once more."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.clock import now_us
from st2common.datastore.lookup import KeyAccess
from st2common.errors import ValidationError
from st2common.models import policies
from st2common.models.connection import Document
from st2common.models.executions import COLLECTION
from st2common.models.policy_retries import PolicyRetries
from st2common.models.statuses import COMPLETED
from st2common.services import traces
from st2common.services.executions import request_execution
from st2common.services.retry_notes import policy_for, retries_before
from st2common.transport.port import Transport

LOG = logging.getLogger(__name__)

# Microseconds after which a note of an execution that was never stored is forgotten.
_NEVER_STORED = 600_000_000


class Retries:
    """Safe to run in several processes at once: the retry of an execution has an id that is known before."""

    def __init__(self, database: Database[Document], transport: Transport, keys: KeyAccess) -> None:
        self._database = database
        self._transport = transport
        self._keys = keys
        self._notes = PolicyRetries(database)

    def retry_ended(self) -> int:
        """Look at all executions that a retry policy waits for; how many retries were requested."""
        return sum(self._retry(note) for page in self._notes.pages() for note in self._ended(page))

    def _ended(self, notes: list[Document]) -> list[Document]:
        wanted = {"_id": {"$in": [note["_id"] for note in notes]}}
        statuses = {found["_id"]: found["status"] for found in self._database[COLLECTION].find(wanted, {"status": 1})}
        long_ago = now_us() - _NEVER_STORED
        return [
            note
            for note in notes
            if statuses.get(note["_id"]) in COMPLETED or (note["_id"] not in statuses and note["since"] < long_ago)
        ]

    def _retry(self, note: Document) -> int:
        earlier = self._database[COLLECTION].find_one({"_id": note["_id"]})
        policy = policy_for(earlier, policies.enabled_for(earlier["action"]["ref"])) if earlier else None
        requested = 0
        if earlier and policy:
            try:
                requested = self._request(earlier, policy, note)
            except DuplicateKeyError:
                LOG.info("The retry of execution %s was requested before", earlier["_id"])
            except ValidationError as error:
                LOG.warning("Execution %s cannot be retried: %s", earlier["_id"], error)
        # Only now: whoever finds the note again finds that its retry is there.
        self._notes.forget(note["_id"])
        return requested

    def _request(self, earlier: Document, policy: Document, note: Document) -> int:
        retry = request_execution(
            self._database,
            self._transport,
            action_ref=earlier["action"]["ref"],
            parameters={},
            user=earlier["context"]["user"],
            context=_context(earlier, policy),
            delay=int((policy["parameters"].get("delay") or 0) * 1000),
            notify=earlier["liveaction"].get("notify"),
            kept=earlier.get("parameters"),
            kept_secrets=earlier.get("decrypted") or (),
            execution_id=note["next"],
            keys=self._keys,
        )
        LOG.info("Policy %s: execution %s repeats %s", policy["ref"], retry["_id"], earlier["_id"])
        return 1


def _context(earlier: Mapping[str, Any], policy: Mapping[str, Any]) -> Document:
    context: Document = dict(earlier["context"])
    retry = {
        "applied_policy": policy["ref"],
        "retry_count": retries_before(earlier) + 1,
        "retried_liveaction_id": earlier["liveaction"]["id"],
    }
    return {
        **context,
        "policies": {**(context.get("policies") or {}), "retry": retry},
        "trace_context": {"id_": traces.trace_id(earlier)},
    }
