"""Fires the triggers of executions: that one has ended, that somebody wants its end told, that an inquiry waits.

Executions do nothing for it. While an enabled rule waits for such a trigger, one of the engines listens to what is told
about executions anyway. What it may have missed, because it was away or the broker was, it finds in the database: each
execution that ended since it last looked. The instances have ids that follow from the execution's, so that each is
stored once.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from bson import ObjectId
from oslo_config import cfg
from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from st2common.clock import now_us
from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.errors import ValidationError
from st2common.models import rules
from st2common.models.connection import Document
from st2common.models.executions import COLLECTION, Executions
from st2common.models.leases import Lease
from st2common.models.statuses import COMPLETED, Status
from st2common.models.trigger_instances import TriggerInstances
from st2common.models.trigger_types import ACTION, INQUIRY, NOTIFY
from st2common.services.traces import trace_id
from st2common.services.trigger_dispatch import dispatch_trigger
from st2common.transport.port import Message, Subscription, Transport
from st2common.transport.topology import EXECUTION
from st2rulesengine.execution_events import TRIGGERS, ExecutionEvent, of_execution

LOG = logging.getLogger(__name__)

LEASE_NAME = "rulesengine/executions"
# Seconds after which another engine takes over from one that is silent.
LEASE = 10.0
# Seconds between two looks at whether rules want any of this, and at all that has ended since the last such look.
TICK, SWEEP = 1.0, 30.0
# Microseconds by which an end may become visible later than it is dated.
_LATE = 60_000_000
# Executions that are read at once, and ids that are remembered as done.
_PAGE, _REMEMBERED = 500, 20_000

#: Where an engine notes since when a trigger is wanted, ``{_id: <trigger>, since}``, and up to which time it has
#: looked, ``{_id: "until", at}``; microseconds since the epoch.
PROGRESS = "rules_engine_progress_d_b"
_UNTIL = "until"


class ExecutionTriggers:
    def __init__(self, config: cfg.ConfigOpts, database: Database[Document], transport: Transport, owner: str) -> None:
        self._database = database
        self._transport = transport
        self._executions = Executions(database)
        self._lease = Lease(database, LEASE_NAME, owner, LEASE)
        self._progress = database[PROGRESS]
        self._possible = set(TRIGGERS) if config.action_sensor.enable else set(TRIGGERS) - {ACTION}
        self._keys = KeyAccess.of_config(config).without_secrets()
        self._emit_when = frozenset(config.action_sensor.emit_when)
        self._wanted: set[str] = set()
        # Whether nothing was looked at yet: an engine that ran before us may have left its progress.
        self._first = True
        self._holding = False
        # As in the database: since when each trigger is wanted, and the end of the last look at all.
        self._since: dict[str, int] = {}
        self._until = 0
        self._told: deque[str] = deque()
        self._done: OrderedDict[ObjectId, None] = OrderedDict()
        self._looked_at = now_us()
        self._sweep_due = 0.0
        self._subscription: Subscription | None = None
        self._bound: set[str] = set()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="execution-triggers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline: float) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(deadline)
        if self._subscription:
            self._subscription.stop()

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
            except PyMongoError as error:
                LOG.warning("The ends of executions wait for the database: %s", error)
                self._begin_anew()
            except Exception:
                LOG.exception("The ends of executions could not be told")
                self._begin_anew()
        try:
            self._lease.release()
        except PyMongoError as error:
            LOG.info("The lease runs out by itself, the database is away: %s", error)

    def _begin_anew(self) -> None:
        self._holding = False
        self._stopping.wait(TICK)

    def _round(self) -> None:
        now = now_us()
        wanted = rules.wanted(self._possible)
        changed = self._first or wanted != self._wanted
        self._first, self._wanted = False, wanted
        self._listen(self._patterns(wanted))
        if wanted and self._lease.acquire():
            if changed or not self._holding:
                self._begin()
            self._holding = True
            if time.monotonic() >= self._sweep_due:
                self._sweep()
            self._follow(time.monotonic() + TICK)
        else:
            self._holding = False
            self._told.clear()
            if changed and not wanted:
                self._progress.delete_many({})
            self._wake.clear()
            self._wake.wait(TICK)
        self._looked_at = now

    def _begin(self) -> None:
        """What ended before anybody wanted to know is told to nobody, also not to a rule that is made later."""
        self._progress.delete_many({"_id": {"$in": sorted(self._possible - self._wanted)}})
        for trigger in self._wanted:
            since = {"$setOnInsert": {"since": self._looked_at}}
            self._progress.update_one({"_id": trigger}, since, upsert=True)
        found = {each["_id"]: each for each in self._progress.find()}
        self._since = {trigger: int(found[trigger]["since"]) for trigger in self._wanted}
        self._until = int(found.get(_UNTIL, {}).get("at", 0))
        self._done.clear()
        self._missed()

    def _patterns(self, wanted: Collection[str]) -> set[str]:
        """The keys of what may fire one of these triggers; most executions tell nobody of their end."""
        patterns = {
            ACTION: {f"*.{status}.#" for status in self._emit_when},
            NOTIFY: {f"*.{status}.notify" for status in COMPLETED},
            INQUIRY: {f"*.{Status.PENDING}.#"},
        }
        return set().union(*(patterns[trigger] for trigger in wanted))

    def _listen(self, patterns: set[str]) -> None:
        """Where no rule wants to know, nobody has to send us what happens."""
        if patterns and self._subscription is None:
            self._subscription = self._transport.subscribe(self._on_message, self._missed)
        elif not patterns and self._subscription is not None:
            self._subscription.stop()
            self._subscription, self._bound = None, set()
        if self._subscription and patterns != self._bound:
            for pattern in patterns - self._bound:
                self._subscription.bind(EXECUTION, pattern)
            for pattern in self._bound - patterns:
                self._subscription.unbind(EXECUTION, pattern)
            self._bound = patterns
            self._missed()

    def _on_message(self, message: Message) -> None:
        self._told.append(message.body["execution"]["id"])
        self._wake.set()

    def _missed(self) -> None:
        self._sweep_due = 0.0
        self._wake.set()

    def _follow(self, until: float) -> None:
        """Fire for what is told, as soon as it is told."""
        while not self._stopping.is_set() and (rest := until - time.monotonic()) > 0:
            self._wake.wait(rest)
            self._wake.clear()
            while self._told:
                found = self._executions.get(self._told[0])
                if found:
                    self._fire(found)
                self._told.popleft()
            if self._sweep_due == 0.0:
                return

    def _sweep(self) -> None:
        """Fire for all that has ended, or begun to wait, since the last sweep."""
        self._sweep_due = time.monotonic() + SWEEP
        began = now_us()
        for execution in self._ended(max(min(self._since.values()), self._until - _LATE)):
            self._fire(execution)
        pending = {"status": str(Status.PENDING)}
        for execution in self._executions.collection.find(pending) if INQUIRY in self._wanted else ():
            self._fire(execution)
        self._until = began
        self._progress.update_one({"_id": _UNTIL}, {"$set": {"at": began}}, upsert=True)

    def _ended(self, since: int) -> Iterator[Document]:
        """Those that ended at ``since`` (microseconds) or later and are not remembered as done."""
        found = heapq.merge(*(self._ended_as(status, since) for status in COMPLETED), key=itemgetter("end_timestamp"))
        for each in found:
            if each["_id"] not in self._done and (execution := self._executions.get(str(each["_id"]))):
                yield execution

    def _ended_as(self, status: Status, since: int) -> Iterable[Document]:
        # No more conditions than the index has fields: the embedded database would read all that ended like this.
        condition: Document = {"status": str(status), "end_timestamp": {"$gte": since}}
        fields = {"end_timestamp": 1, "liveaction.notify": 1}
        found = self._database[COLLECTION].find(condition, fields).sort([("end_timestamp", ASCENDING)])
        wants_all = ACTION in self._wanted
        return (each for each in found.batch_size(_PAGE) if wants_all or "notify" in each.get("liveaction", {}))

    def _fire(self, execution: Mapping[str, Any]) -> None:
        if execution["_id"] in self._done:
            return
        st2kv = KeyLookup(self._database, self._keys, execution["context"])
        happened = execution.get("end_timestamp") or execution["log"][-1]["timestamp"]
        wanted = {trigger for trigger, since in self._since.items() if since <= happened}
        for event in of_execution(execution, wanted, self._emit_when, st2kv):
            self._dispatch(event, execution)
        if execution["status"] in COMPLETED:
            self._done[execution["_id"]] = None
            if len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)

    def _dispatch(self, event: ExecutionEvent, execution: Mapping[str, Any]) -> None:
        if TriggerInstances(self._database).get(str(event.instance_id)):
            return
        try:
            dispatch_trigger(
                self._database,
                self._transport,
                trigger=event.trigger,
                payload=event.payload,
                trace_context={"id_": trace_id(execution)},
                validate_payload=False,
                instance_id=event.instance_id,
            )
        except DuplicateKeyError:
            LOG.debug("Another engine has told of execution %s", execution["_id"])
        except ValidationError as error:
            LOG.warning("Trigger %s does not fire for execution %s: %s", event.trigger, execution["_id"], error)
