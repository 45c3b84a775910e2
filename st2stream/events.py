"""The platform's events, from the broker to every client of ``/stream``: live only, each encoded once."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from st2common.models.execution_view import liveaction_form, to_api
from st2common.models.executions import Executions
from st2common.models.statuses import COMPLETED
from st2common.output.chunk import Stream
from st2common.output.log import OutputLog
from st2common.rbac.resolution import EVERYTHING, Rights, pack_uid
from st2common.transport.port import Message, Transport
from st2common.transport.topology import ACTIONALIAS, ANNOUNCEMENT, EXECUTION
from st2stream.client import Client
from st2stream.feeds import FeedHub, Subject
from st2stream.subscriber import Filter, StreamEvent

LOG = logging.getLogger(__name__)

LIVEACTION = "st2.liveaction"

_EXCHANGES = (EXECUTION, ANNOUNCEMENT, ACTIONALIAS)


def stream_events(message: Message) -> list[StreamEvent]:
    """The events that a message of the broker stands for: an execution's change is told as two."""
    body, key = message.body, message.routing_key
    if message.exchange == EXECUTION:
        execution = body["execution"]
        told = [*({**execution, "status": status} for status in body.get("earlier", ())), execution]
        verb = key.partition(".")[0]
        return [event for each in told for event in execution_events(verb, each)]
    if message.exchange == ANNOUNCEMENT:
        data = {"payload": body["payload"], "trace_context": body.get("trace_context")}
        return [StreamEvent(f"{ANNOUNCEMENT}__{key}", data)]
    alias = body["alias"]
    uids = (f"action_alias:{alias['pack']}:{alias['name']}", pack_uid(alias["pack"]))
    return [StreamEvent(f"{ACTIONALIAS}__{key}", alias, uids=uids)]


def execution_events(key: str, execution: Mapping[str, Any]) -> list[StreamEvent]:
    """``key`` is create, update or delete; ``execution`` the API's document."""
    action_ref = execution["action"]["ref"]
    return [
        StreamEvent(f"{LIVEACTION}__{key}", liveaction_form(execution), action_ref=action_ref),
        StreamEvent(f"{EXECUTION}__{key}", execution, execution_id=execution["id"], action_ref=action_ref),
    ]


class EventHub:
    def __init__(
        self,
        transport: Transport,
        feeds: FeedHub,
        executions: Executions,
        log: OutputLog,
        web_base_url: str | None = None,
    ) -> None:
        """``web_base_url``: see :func:`~st2common.models.execution_view.to_api`."""
        self._feeds = feeds
        self._executions = executions
        self._log = log
        self._web_base_url = web_base_url
        self._clients: set[Client] = set()
        self._lock = threading.Lock()
        #: Held while bindings come or go: there are some only while there are clients.
        self._binding = threading.Lock()
        self._subscription = transport.subscribe(self._on_message, self._on_missed)

    @contextlib.contextmanager
    def client(self, wanted: Filter, rights: Rights = EVERYTHING) -> Iterator[Client]:
        """A client that gets what happens from now on, as far as ``rights`` let it."""
        client = Client(wanted, self._feeds, self._family(wanted), rights)
        with self._binding:
            with self._lock:
                self._clients.add(client)
            if len(self._clients) == 1:
                for exchange in _EXCHANGES:
                    self._subscription.bind(exchange, "#")
        try:
            if wanted.wants_output:
                self._join_running([client], client.only, from_start=False)
            yield client
        finally:
            with self._binding:
                with self._lock:
                    self._clients.discard(client)
                if not self._clients:
                    for exchange in _EXCHANGES:
                        self._subscription.unbind(exchange, "#")
            client.close()

    def tell_end(self, client: Client) -> None:
        """Tell the end that ``client`` waits for, if its execution has ended.

        The event may have been lost, or have come just before the connection, and nobody must wait for ever.
        """
        wanted = client.filter
        if not (wanted.end_event and wanted.end_execution_id):
            return
        stored = self._executions.get(wanted.end_execution_id, {"status": 1})
        stored = stored or self._executions.of_liveaction(wanted.end_execution_id, {"status": 1})
        if stored and stored["status"] in COMPLETED:
            found = self._executions.get(str(stored["_id"]))
            events = execution_events("update", to_api(found, web_base_url=self._web_base_url)) if found else []
            if found and client.may_see(found) and any(wanted.ends_with(event) for event in events):
                client.put_lost_end(events)

    def _family(self, wanted: Filter) -> set[str] | None:
        """The executions whose output a client can use, where it says which; None: all.

        Whoever waits for the end of an execution also reads what its children print.
        """
        if wanted.execution_ids:
            return None
        if not (wanted.wants_output and wanted.end_event and wanted.end_execution_id):
            return None
        of_liveaction = self._executions.of_liveaction(wanted.end_execution_id, {"_id": 1})
        parents = {str(of_liveaction["_id"]) if of_liveaction else wanted.end_execution_id}
        family: set[str] = set()
        while parents:
            family |= parents
            parents = set(self._executions.children(parents)) - family
        return family

    def _join_running(self, clients: list[Client], only: Collection[str] | None, from_start: bool) -> None:
        """Have clients follow the executions that run, ``only`` these or all: where they stand, since this stream has
        no history, or ``from_start``."""
        for stored in self._executions.running(only):
            subject = Subject(str(stored["_id"]), stored["action"]["ref"], stored["runner"]["name"])
            joining = [client for client in clients if client.may_follow(subject) and client.may_see(stored)]
            if joining:
                after = 0 if from_start else self._last_seq(subject.execution_id)
                for client in joining:
                    client.follow(subject, after)

    def _last_seq(self, execution_id: str) -> int:
        lasts = [self._log.last(execution_id, stream) for stream in Stream]
        return max(last.seq if last else 0 for last in lasts)

    def _on_message(self, message: Message) -> None:
        with self._lock:
            clients = list(self._clients)
        if clients:
            events = stream_events(message)
            for client in clients:
                client.put(events)

    def _on_missed(self) -> None:
        """Events may be lost. An execution that runs and that a client does not follow began in the meantime."""
        with self._lock:
            clients = [client for client in self._clients if client.filter.wants_output]
        if clients:
            self._join_running(clients, None, from_start=True)

    def healthy(self) -> bool:
        return self._subscription.healthy()

    def stop(self) -> None:
        self._subscription.stop()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.close()
