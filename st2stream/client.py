"""A client of ``/stream`` with the executions whose output it gets.

Output comes from the log, through the same feeds as everywhere. The events that tell an execution's end wait until its
output is out, so that a client that stops at them has everything.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from st2common.models.statuses import Status
from st2common.rbac.executions import VIEW, may
from st2common.rbac.resolution import EVERYTHING, Rights
from st2stream.feeds import Encoded, FeedHub, Subject
from st2stream.subscriber import Filter, StreamEvent, Subscriber

LOG = logging.getLogger(__name__)

# Seconds between two looks whether the client of a silent execution is still there.
_LOOK_INTERVAL = 2.0


class Client:
    def __init__(self, wanted: Filter, feeds: FeedHub, family: set[str] | None, rights: Rights = EVERYTHING) -> None:
        """``family``: the executions whose output it gets; their children join it. None: whatever the filter lets
        through. ``rights`` are those of whoever asks; when they change, the stream is cut from outside."""
        self.filter = wanted
        self._subscriber = Subscriber(wanted)
        self._feeds = feeds
        self._family = family
        self._rights = rights
        self._lock = threading.Lock()
        #: Executions whose output is on its way, each with the events that wait for its end.
        self._following: dict[str, list[StreamEvent]] = {}

    def put(self, events: Sequence[StreamEvent]) -> None:
        """What the broker told at once. The events of one change of an execution end with the one that has its
        document."""
        change: list[StreamEvent] = []
        for event in events:
            change.append(event)
            if event.execution_id or event is events[-1]:
                self._put_change(change)
                change = []

    def _put_change(self, events: list[StreamEvent]) -> None:
        told = events[-1]
        if not self._may_be_told(told):
            return
        about_output = bool(told.execution_id) and self.filter.wants_output
        if about_output and told.ends and self._deferred(str(told.execution_id), events):
            return
        for event in events:
            self._subscriber.put(event)
        if about_output:
            self._adopt(told)
            # Whatever it prints comes behind this; before it there is nothing to read.
            if told.data.get("status") == Status.RUNNING:
                self.follow(_subject(told.data), after=0)

    def put_lost_end(self, events: Sequence[StreamEvent]) -> None:
        """The end of an execution that no message has told, as far as we know."""
        with self._lock:
            waiting = self._following.get(str(events[-1].execution_id))
            if waiting is not None:
                # Whichever came first is told once its output is out.
                waiting.extend([] if waiting else events)
                return
        for event in events:
            if self.filter.ends_with(event):
                self._subscriber.put(event)

    def follow(self, subject: Subject, after: int) -> None:
        """Send the execution's output behind ``after``, once, if the client wants it."""
        if not self.may_follow(subject):
            return
        with self._lock:
            if subject.execution_id in self._following:
                return
            self._following[subject.execution_id] = []
        threading.Thread(target=self._relay, args=(subject, after), daemon=True).start()

    def may_follow(self, subject: Subject) -> bool:
        """Whether it wants the execution's output and is not getting it already."""
        wanted = self.filter
        return (
            wanted.wants_action(subject.action_ref)
            and (not wanted.execution_ids or subject.execution_id in wanted.execution_ids)
            and (self._family is None or subject.execution_id in self._family)
            and subject.execution_id not in self._following
        )

    def may_see(self, execution: Mapping[str, Any]) -> bool:
        """Whether it has the right to know of an execution, stored or in the API's form."""
        return may(self._rights, VIEW, execution)

    @property
    def only(self) -> Collection[str] | None:
        """The executions whose output it may want; None: any."""
        return self.filter.execution_ids or self._family

    def take(self, timeout: float) -> bytes:
        """What is to be sent, after at most ``timeout`` seconds; empty when there is nothing."""
        return self._subscriber.take(timeout)

    @property
    def closed(self) -> bool:
        """Nothing more comes than what waits to be taken."""
        return self._subscriber.closed

    def close(self) -> None:
        self._subscriber.close()

    def _may_be_told(self, event: StreamEvent) -> bool:
        """Announcements are for everybody."""
        if event.execution_id:
            return self.may_see(event.data)
        return not event.uids or self._rights.allows("action_alias_view", *event.uids)

    def _adopt(self, told: StreamEvent) -> None:
        """A child of an execution whose output the client gets is one as well."""
        parent = ((told.data.get("context") or {}).get("parent") or {}).get("execution_id")
        if self._family is not None and parent in self._family:
            self._family.add(str(told.execution_id))

    def _deferred(self, execution_id: str, events: Sequence[StreamEvent]) -> bool:
        """Keep the end of an execution back while its output is on its way."""
        with self._lock:
            waiting = self._following.get(execution_id)
            if waiting is None:
                return False
            waiting.extend(events)
            return True

    def _relay(self, subject: Subject, after: int) -> None:
        try:
            for item in self._feeds.watch(subject, after, _LOOK_INTERVAL):
                if self.closed:
                    return
                if isinstance(item, Encoded):
                    self._subscriber.put_output(item.without_ids())
        except Exception:
            LOG.exception("The output of execution %s does not reach a client", subject.execution_id)
        finally:
            with self._lock:
                for event in self._following.pop(subject.execution_id):
                    self._subscriber.put(event)


def _subject(execution: Mapping[str, Any]) -> Subject:
    return Subject(execution["id"], execution["action"]["ref"], execution["runner"]["name"])
