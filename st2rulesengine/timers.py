"""Timers: they fire once however many engines run, and what was due while none ran is made up by a rule.

One engine at a time holds the lease and fires. When a timer is due stands in the database, so that another engine, or
the same one after a restart, goes on where this one was. An event has an id that follows from the timer and the time
that it was due: firing twice stores one event.

What was due and did not fire in time:

* An interval or cron timer fires once if it was due within the last :data:`GRACE` seconds, and not at all for what is
  older.
* A date timer fires late, however late that is: it has no other time. One whose date had passed before any engine saw
  it never fires.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
from datetime import UTC, datetime, timedelta

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from st2common.clock import now_us
from st2common.errors import ValidationError
from st2common.models import triggers
from st2common.models.connection import Document
from st2common.models.leases import TIMERS as LEASE_NAME
from st2common.models.leases import Lease
from st2common.models.timers import Timers
from st2common.models.trigger_types import DATE_TIMER, TIMERS
from st2common.services.timers import Schedule, schedule_of
from st2common.services.trigger_dispatch import dispatch_trigger
from st2common.transport.port import Message, Subscription, Transport
from st2common.transport.topology import TRIGGER

LOG = logging.getLogger(__name__)

# Seconds within which a time that was missed is made up: more than a restart of the engines takes.
GRACE = 60.0

# Seconds after which another engine fires the timers, and between two renewals.
LEASE = 10.0
TICK = 3.0


class TimerEngine:
    def __init__(self, database: Database[Document], transport: Transport) -> None:
        self._database = database
        self._transport = transport
        self._timers = Timers(database)
        self._lease = Lease(database, LEASE_NAME, f"{socket.gethostname()}-{os.getpid()}", LEASE)
        self._subscription: Subscription | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="timers", daemon=True)
        self.problem: str | None = None

    def start(self) -> None:
        self._subscription = self._transport.subscribe(self._on_message, self._wake.set)
        self._subscription.bind(TRIGGER, "*")
        self._thread.start()

    def stop(self, deadline: float) -> None:
        self._stopping.set()
        self._wake.set()
        if self._subscription is not None:
            self._subscription.stop()
        self._thread.join(deadline)
        try:
            self._lease.release()
        except PyMongoError as error:
            LOG.info("The lease of the timers runs out by itself, the database is away: %s", error)

    def _on_message(self, message: Message) -> None:
        if message.body["trigger"]["type"] in TIMERS:
            self._wake.set()

    # The engine's own thread.

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            patience = TICK
            try:
                if self._lease.acquire():
                    patience = min(TICK, self._fire_due())
                self.problem = None
            except PyMongoError as error:
                LOG.warning("Timers wait for the database: %s", error)
                self.problem = "the database is away: timers wait"
            except Exception as error:
                LOG.exception("The timers failed")
                self.problem = f"the timers failed: {error}"
            self._wake.wait(patience)

    def _fire_due(self) -> float:
        """Fire what is due; seconds until something is."""
        found = {trigger["id"]: trigger for trigger in triggers.find(TIMERS)[0]}
        known = self._timers.find()
        if gone := known.keys() - found.keys():
            self._timers.remove(gone)
        soonest = TICK
        for identity, trigger in found.items():
            timer = known.get(identity)
            if timer is None or timer["uid"] != trigger["uid"]:
                timer = _new_timer(trigger)
                self._timers.put(timer)
            next_at = timer["next_at"]
            if next_at is not None and next_at <= now_us():
                next_at = self._fire(trigger, timer)
            if next_at is not None:
                soonest = min(soonest, max(0.0, (next_at - now_us()) / 1_000_000))
        return soonest

    def _fire(self, trigger: Document, timer: Document) -> int | None:
        """Tell that a timer is due, or was not long ago; when it is due next."""
        schedule = schedule_of(trigger["type"], trigger["parameters"], _moment(timer["since"]))
        now = datetime.now(UTC)
        due, next_at = _made_up(schedule, _moment(timer["next_at"]), now, trigger["type"] == DATE_TIMER)
        changes: Document = {"next_at": _us(next_at)}
        if due is None:
            LOG.warning("Timer %s was due at %s, too long ago: skipped", trigger["ref"], _moment(timer["next_at"]))
        else:
            changes |= {"last_fired_at": _us(due), "error": self._dispatch(trigger, due, now)}
        self._timers.change(timer["_id"], **changes)
        return _us(next_at)

    def _dispatch(self, trigger: Document, due: datetime, now: datetime) -> str | None:
        """Why the event is refused, or None."""
        try:
            dispatch_trigger(
                self._database,
                self._transport,
                trigger=trigger["ref"],
                payload={"executed_at": f"{now:%Y-%m-%d %H:%M:%S.%f}+00:00", "schedule": None},
                trace_context={"trace_tag": f"{trigger['type']}-{trigger['name']}"},
                validate_payload=False,
                instance_id=_event_id(trigger["id"], due),
            )
        except DuplicateKeyError:
            LOG.info("Timer %s has fired for %s already", trigger["ref"], due)
        except ValidationError as error:
            LOG.warning("Timer %s: %s", trigger["ref"], error)
            return str(error)
        return None


def _new_timer(trigger: Document) -> Document:
    since = now_us()
    next_at, problem = None, None
    try:
        next_at = schedule_of(trigger["type"], trigger["parameters"], _moment(since))(_moment(since))
    except ValidationError as error:
        problem = str(error)
    else:
        if next_at is None:
            problem = "It is never due: its time has passed."
    if problem:
        LOG.warning("Timer %s will not fire: %s", trigger["ref"], problem)
    return {
        "_id": trigger["id"],
        "uid": trigger["uid"],
        "since": since,
        "next_at": _us(next_at),
        "last_fired_at": None,
        "error": problem,
    }


def _made_up(
    schedule: Schedule, was_due: datetime, now: datetime, always: bool
) -> tuple[datetime | None, datetime | None]:
    """The last time up to ``now`` that is to fire, None if it is too long ago; and the first time after ``now``."""
    earliest = now - timedelta(seconds=GRACE)
    last = was_due if always or was_due >= earliest else None
    upcoming = schedule(max(was_due, earliest))
    while upcoming is not None and upcoming <= now:
        last, upcoming = upcoming, schedule(upcoming)
    return last, upcoming


def _event_id(trigger_id: str, due: datetime) -> ObjectId:
    """In the form of other ids, which begin with the time."""
    digest = hashlib.sha256(f"{trigger_id} {_us(due)}".encode()).digest()
    return ObjectId(int(due.timestamp()).to_bytes(4) + digest[:8])


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=us)


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
