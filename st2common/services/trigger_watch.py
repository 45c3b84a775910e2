"""Following the triggers of some types: what timers, webhooks and sensors work on.

Changes come as events; since an event can be missed, and packs are registered by processes that tell nobody, the
database is read again every few seconds. Either way what is there is compared with what was known.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection

from pymongo.errors import PyMongoError

from st2common.models import triggers
from st2common.models.connection import Document
from st2common.transport.port import Message, Subscription, Transport
from st2common.transport.topology import TRIGGER

LOG = logging.getLogger(__name__)

# Seconds between two looks at the database where no event asks for one before.
INTERVAL = 5.0

OnTrigger = Callable[[Document], None]


class TriggerWatch:
    """Calls back, one after the other and in one thread of its own, with triggers in their API form."""

    def __init__(
        self,
        transport: Transport,
        types: Collection[str],
        *,
        on_add: OnTrigger,
        on_update: OnTrigger,
        on_remove: OnTrigger,
        interval: float = INTERVAL,
    ) -> None:
        """``types``: references of trigger types."""
        self._transport = transport
        self._types = frozenset(types)
        self._on_add, self._on_update, self._on_remove = on_add, on_update, on_remove
        self._interval = interval
        self._known: dict[str, Document] = {}
        self._look = threading.Event()
        self._stopped = threading.Event()
        self._subscription: Subscription | None = None
        self._thread = threading.Thread(target=self._follow, name="trigger-watch", daemon=True)

    def start(self) -> None:
        """Begin with what there is: returns once each trigger was added, unless the database is away."""
        self._subscription = self._transport.subscribe(self._on_message, self._look.set)
        self._subscription.bind(TRIGGER, "*")
        self._compare()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._look.set()
        if self._subscription is not None:
            self._subscription.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _on_message(self, message: Message) -> None:
        if message.body["trigger"]["type"] in self._types:
            self._look.set()

    def _follow(self) -> None:
        while not self._stopped.is_set():
            self._look.wait(self._interval)
            self._look.clear()
            if not self._stopped.is_set():
                self._compare()

    def _compare(self) -> None:
        try:
            found = {trigger["id"]: trigger for trigger in triggers.find(self._types)[0]}
        except PyMongoError as error:
            LOG.warning("The triggers cannot be read, the known ones stay: %s", error)
            return
        for identity in self._known.keys() - found.keys():
            self._tell(self._on_remove, self._known.pop(identity))
        for identity, trigger in found.items():
            known = self._known.get(identity)
            if known != trigger:
                self._known[identity] = trigger
                self._tell(self._on_update if known else self._on_add, trigger)

    def _tell(self, callback: OnTrigger, trigger: Document) -> None:
        try:
            callback(trigger)
        except Exception:
            # One trigger that nobody can work with must not hide the others.
            LOG.exception("The trigger %s was not taken", trigger["ref"])
