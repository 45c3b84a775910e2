"""Sees to policies: executions that wait for a slot begin when one is free, executions that are to be retried are.

Looks every few seconds, and as soon as an execution of an action with policies has ended.
"""

from __future__ import annotations

from collections.abc import Callable

from pymongo.database import Database

from st2common.datastore.lookup import KeyAccess
from st2common.models import policies
from st2common.models.connection import Document
from st2common.models.policy_slots import PolicySlots
from st2common.models.statuses import COMPLETED
from st2common.services.admission import Admission
from st2common.services.retries import Retries
from st2common.transport.port import Message, Subscription, Transport
from st2common.transport.topology import EXECUTION

_PATTERNS = [f"update.{status}.#" for status in sorted(COMPLETED)]


class PolicyKeeper:
    name = "policy keeper"
    interval = 2.5
    rest = 0.0

    def __init__(
        self, database: Database[Document], transport: Transport, keys: KeyAccess, on_end: Callable[[], None]
    ) -> None:
        """``on_end`` is called, in any thread, when there may be something to do before the interval is over."""
        self._admission = Admission(database, transport)
        self._retries = Retries(database, transport, keys)
        self._slots = PolicySlots(database)
        self._transport = transport
        self._on_end = on_end
        self._actions: set[str] = set()
        self._subscription: Subscription | None = None
        self._tidied = ""

    def run(self) -> bool:
        self._listen(policies.limited_actions())
        self._admission.release_waiting()
        self._retries.retry_ended()
        self._tidied = self._slots.tidy(self._tidied)
        return False

    def stop(self) -> None:
        if self._subscription:
            self._subscription.stop()

    def _listen(self, actions: set[str]) -> None:
        """Where no action has a policy, nobody has to send us what happens."""
        self._actions = actions
        if actions and self._subscription is None:
            self._subscription = self._transport.subscribe(self._on_message, self._on_end)
            for pattern in _PATTERNS:
                self._subscription.bind(EXECUTION, pattern)
        elif not actions and self._subscription is not None:
            self._subscription.stop()
            self._subscription = None

    def _on_message(self, message: Message) -> None:
        if message.body["execution"]["action"]["ref"] in self._actions:
            self._on_end()
