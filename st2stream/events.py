"""The platform's events, from the broker to every client of ``/stream``: live only, each encoded once.

An execution's output comes from its log, through the same feeds as everywhere. The event that tells an execution's end
waits until its output is out, so that a client that stops at it has everything.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from st2common.models.execution_view import liveaction_form
from st2common.models.executions import Executions
from st2common.output.chunk import End, Stream
from st2common.output.log import OutputLog
from st2common.transport.port import Message, Transport
from st2common.transport.topology import ACTIONALIAS, ANNOUNCEMENT, EXECUTION
from st2stream.feeds import FeedHub, Subject
from st2stream.subscriber import Filter, StreamEvent, Subscriber

LOG = logging.getLogger(__name__)

LIVEACTION = "st2.liveaction"


def stream_events(message: Message) -> list[StreamEvent]:
    """The events that a message of the broker stands for: an execution's change is told as two."""
    body, key = message.body, message.routing_key
    if message.exchange == EXECUTION:
        return execution_events(key, body["execution"])
    if message.exchange == ANNOUNCEMENT:
        data = {"payload": body["payload"], "trace_context": body.get("trace_context")}
        return [StreamEvent(f"{ANNOUNCEMENT}__{key}", data)]
    return [StreamEvent(f"{ACTIONALIAS}__{key}", body["alias"])]


def execution_events(key: str, execution: Mapping[str, Any]) -> list[StreamEvent]:
    """``key`` is create, update or delete; ``execution`` the API's document."""
    action_ref = execution["action"]["ref"]
    return [
        StreamEvent(f"{LIVEACTION}__{key}", liveaction_form(execution), action_ref=action_ref),
        StreamEvent(f"{EXECUTION}__{key}", execution, execution_id=execution["id"], action_ref=action_ref),
    ]


class Client:
    """A subscriber with the executions whose output it gets."""

    def __init__(self, subscriber: Subscriber, hub: EventHub) -> None:
        self.subscriber = subscriber
        self._hub = hub
        self._lock = threading.Lock()
        #: Executions whose output is on its way, each with the events that wait for its end.
        self._following: dict[str, list[StreamEvent]] = {}
        wanted = subscriber.filter
        #: The executions whose output the client can use; empty: all. Children of known ones are added as they come.
        self._known = set(wanted.execution_ids)
        if wanted.end_execution_id and not self._known:
            self._known.add(wanted.end_execution_id)

    def put(self, events: list[StreamEvent]) -> None:
        for event in events:
            if event.execution_id and self.subscriber.filter.wants_output:
                if self._deferred(event):
                    continue
                if not event.ends and self._knows(event):
                    self.follow(_subject(event.data), after=0)
            self.subscriber.put(event)

    def _knows(self, event: StreamEvent) -> bool:
        parent = (event.data.get("context") or {}).get("parent", {}).get("execution_id")
        if self._known and parent in self._known and event.execution_id:
            self._known.add(event.execution_id)
        return not self._known or event.execution_id in self._known

    def _deferred(self, event: StreamEvent) -> bool:
        """Keep the end of an execution back while its output is on its way."""
        with self._lock:
            waiting = self._following.get(str(event.execution_id))
            if waiting is None or not event.ends:
                return False
            waiting.append(event)
            return True

    def follow(self, subject: Subject, after: int) -> None:
        """Send the execution's output behind ``after``, once."""
        refs = self.subscriber.filter.action_refs
        if refs and subject.action_ref not in refs:
            return
        with self._lock:
            if subject.execution_id in self._following:
                return
            self._following[subject.execution_id] = []
        threading.Thread(target=self._relay, args=(subject, after), daemon=True).start()

    def _relay(self, subject: Subject, after: int) -> None:
        try:
            for item in self._hub.feeds.watch(subject, after):
                if self.subscriber.closed:
                    return
                if item is not None and not isinstance(item, End):
                    self.subscriber.put_output(b"".join(event for _, event in item.events))
        except Exception:
            LOG.exception("The output of execution %s does not reach a client", subject.execution_id)
        finally:
            with self._lock:
                waiting = self._following.pop(subject.execution_id, [])
            for event in waiting:
                self.subscriber.put(event)


class EventHub:
    def __init__(self, transport: Transport, feeds: FeedHub, executions: Executions, log: OutputLog) -> None:
        self.feeds = feeds
        self._executions = executions
        self._log = log
        self._clients: set[Client] = set()
        self._lock = threading.Lock()
        self._subscription = transport.subscribe(self._on_message, lambda: None)
        for exchange in (EXECUTION, ANNOUNCEMENT, ACTIONALIAS):
            self._subscription.bind(exchange, "#")

    @contextlib.contextmanager
    def client(self, wanted: Filter) -> Iterator[Subscriber]:
        """A client that gets what happens from now on."""
        client = Client(Subscriber(wanted), self)
        with self._lock:
            self._clients.add(client)
        try:
            if wanted.wants_output:
                self._join_running(client, wanted)
            yield client.subscriber
        finally:
            with self._lock:
                self._clients.discard(client)
            client.subscriber.close()

    def _join_running(self, client: Client, wanted: Filter) -> None:
        """Executions that run already are joined where they stand: this stream has no history."""
        only = wanted.execution_ids or ({wanted.end_execution_id} if wanted.end_execution_id else None)
        for stored in self._executions.running(only):
            subject = Subject(str(stored["_id"]), stored["action"]["ref"], stored["runner"]["name"])
            lasts = [self._log.last(subject.execution_id, stream) for stream in Stream]
            client.follow(subject, after=max(last.seq if last else 0 for last in lasts))

    def _on_message(self, message: Message) -> None:
        with self._lock:
            clients = list(self._clients)
        if clients:
            events = stream_events(message)
            for client in clients:
                client.put(events)

    def healthy(self) -> bool:
        return self._subscription.healthy()

    def stop(self) -> None:
        self._subscription.stop()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.subscriber.close()


def _subject(execution: Mapping[str, Any]) -> Subject:
    return Subject(execution["id"], execution["action"]["ref"], execution["runner"]["name"])
