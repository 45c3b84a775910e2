"""Following the output of one execution, and of its steps, to its end, over any number of connections."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from st2cli.client import EventStream, StreamBroken
from st2cli.errors import ApiError, CommandError, Unreachable
from st2cli.paths import segment
from st2cli.places import Places
from st2cli.sse import Event, EventParser, EventTooLarge
from st2cli.views import Origin, Output, Step, View

# Seconds without a byte after which a connection is given up: three missed keep-alives.
SILENCE = 45.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.5
# Seconds without any contact after which the person is asked instead of the network.
_GIVE_UP_AFTER = 600.0
# A connection that lived this many seconds was a good one, even if nothing was printed meanwhile.
_GOOD_CONNECTION = 10.0

START_EVENT = "st2.execution.output__start"
OUTPUT_EVENT = "st2.execution.output__create"
END_EVENT = "st2.execution.output__end"
LAST_EVENT = "EOF"


class Source(Protocol):
    """What `Client` gives."""

    def open_stream(
        self, path: str, query: dict[str, Any], *, last_event_id: str = "", silence: float
    ) -> EventStream: ...


class Request(NamedTuple):
    """What is to be followed."""

    #: The execution's id, or what else has a log in ``collection`` of the stream service.
    name: str
    #: "stdout", "stderr", or None for both.
    output_type: str | None = None
    #: Output up to this ``seq`` is not shown; "" for all of it.
    since_seq: str = ""
    #: Without, the stream ends with what was printed so far.
    follow: bool = True
    collection: str = "executions"
    #: More query parameters.
    query: Mapping[str, str] = MappingProxyType({})


class _Outage:
    """From the first broken connection to the next event."""

    def __init__(self) -> None:
        self._pause = _FIRST_PAUSE
        self._give_up_at = time.monotonic() + _GIVE_UP_AFTER

    def pause(self) -> float:
        """Seconds to wait; spread out, because all watchers of a restarted service come back at the same time."""
        pause = self._pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret depends on it
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return pause

    def is_too_long(self) -> bool:
        return time.monotonic() > self._give_up_at


class Tail:
    """Shows every byte once, in order; goes on where it was after a broken connection."""

    def __init__(
        self,
        source: Source,
        request: Request,
        view: View,
        note: Callable[[str], None],
        *,
        silence: float = SILENCE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._request = request
        self._view = view
        self._note = note
        self._silence = silence
        self._sleep = sleep
        self._said_that_streaming_is_off = False
        self._outage: _Outage | None = None
        self._showing = False
        self._interrupted = False
        #: The position up to which everything was shown: the id of the last event, which is its ``seq``. Of a workflow
        #: there is one for each step.
        self.seq = request.since_seq
        self._places: Places | None = None
        #: The end record of the log, once it has come.
        self.ending: dict[str, Any] | None = None

    def run(self) -> dict[str, Any] | None:
        """The end record; None when the stream ended without one (not finished, or nothing was ever logged).

        Raises `ApiError` and `Unreachable` when not even the first connection works, and `Unreachable` when the
        service stays away for ten minutes.
        """
        stream = self._open()
        while True:
            opened_at = time.monotonic()
            try:
                with closing(stream):
                    self._show_all(stream)
                    return self.ending
            except (StreamBroken, EventTooLarge) as error:
                if self.ending is not None:
                    return self.ending
                if time.monotonic() - opened_at > _GOOD_CONNECTION:
                    self._outage = None
                stream = self._reconnect(str(error))

    def interrupt(self) -> None:
        """To be called by the handler of SIGINT: ends `run` with KeyboardInterrupt.

        Not between showing an event and counting it, or `seq` would be wrong; unless asked twice.
        """
        if self._showing and not self._interrupted:
            self._interrupted = True
        else:
            raise KeyboardInterrupt

    def _open(self) -> EventStream:
        query: dict[str, Any] = {"output_type": self._request.output_type, **self._request.query}
        if self._places and (since := self._places.since()):
            query["since"] = since
        if not self._request.follow:
            query["follow"] = "false"
        path = f"/{self._request.collection}/{segment(self._request.name)}/output"
        stream = self._source.open_stream(path, query, last_event_id=self.seq, silence=self._silence)
        if stream.headers.get("X-St2-Tree") and self._places is None:
            self._places = Places()
        if stream.headers.get("X-St2-Stream-Output") == "off" and not self._said_that_streaming_is_off:
            self._said_that_streaming_is_off = True
            self._say(
                "Streaming is off for this execution ([actionrunner] stream_output = False): "
                "its output is shown when it ends."
            )
        return stream

    def _show_all(self, stream: EventStream) -> None:
        """To the last event; raises `StreamBroken` before it."""
        parser = EventParser(self.seq)
        while True:
            for event in parser.feed(stream.read()):
                if self._take(event):
                    return
            self._view.flush()

    def _take(self, event: Event) -> bool:
        """Whether this was the last event."""
        if self._outage is not None:
            self._outage = None
            self._say("Resumed.")
        if event.name == LAST_EVENT:
            return True
        if event.name in (START_EVENT, OUTPUT_EVENT, END_EVENT):
            self._showing = True
            self._show(event)
            self._showing = False
            if self._interrupted:
                raise KeyboardInterrupt
        return False

    def _show(self, event: Event) -> None:
        document = _parse(event)
        if self._places is not None:
            self._show_of_tree(event.name, document, self._places)
        elif event.name == END_EVENT:
            self.ending = _ending(document)
        elif event.name == OUTPUT_EVENT:
            self._view.show(_output(document))
            self.seq = event.id

    def _show_of_tree(self, name: str, document: dict[str, Any], places: Places) -> None:
        """The same of a workflow. After a broken connection some of it comes again."""
        execution_id = str(document.get("execution_id"))
        new_step = name == START_EVENT and places.starts(document)
        path = places.path(execution_id)
        if new_step:
            self._view.step(Step(execution_id, path, document["timestamp"], document["action_ref"]))
        elif name == OUTPUT_EVENT and places.adds(document):
            self._view.show(_output(document, Origin(document["output_type"], execution_id, path)))
        elif name == END_EVENT and not path:
            self.ending = _ending(document)
        elif name == END_EVENT and places.ends(execution_id):
            ended = _ending(document)
            self._view.step(Step(execution_id, path, ended["timestamp"], "", ended["status"], ended.get("exit_code")))

    def _reconnect(self, reason: str) -> EventStream:
        if self._outage is None:
            self._outage = _Outage()
            self._say(f"The output stream broke ({reason}); resuming where it was ...")
        while True:
            self._sleep(self._outage.pause())
            try:
                return self._open()
            except (Unreachable, ApiError) as error:
                passing = not isinstance(error, ApiError) or error.status >= 500 or error.status == 429
                if not passing or self._outage.is_too_long():
                    raise

    def _say(self, text: str) -> None:
        self._view.interrupt()
        self._note(text)


def _parse(event: Event) -> dict[str, Any]:
    try:
        document = json.loads(event.data)
    except ValueError as error:
        raise CommandError(f"The stream service sent {event.name} with data that are not JSON: {error}") from error
    if not isinstance(document, dict):
        raise CommandError(f"The stream service sent {event.name} with data that are no object: {event.data[:200]}")
    return document


def _ending(document: dict[str, Any]) -> dict[str, Any]:
    """The end record with the key ``status``.

    In the stream it is called ``final_status``: other clients take any event that has a ``status`` for an execution.
    """
    status = document.pop("final_status", None) or document.get("status")
    if status is None:
        raise CommandError(f"The stream service sent an end without a status: {document}")
    return {"status": status, **document}


def _output(document: dict[str, Any], origin: Origin | None = None) -> Output:
    try:
        encoded = document.get("data_base64")
        return Output(
            origin=origin or Origin(document["output_type"]),
            timestamp=document["timestamp"],
            seq=None if document.get("seq") is None else str(document["seq"]),
            # ``data`` is text; the bytes are beside it when it is not all that was printed.
            data=base64.b64decode(encoded)
            if encoded is not None
            else document["data"].encode("utf-8", "surrogatepass"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CommandError(f"The stream service sent an output event that cannot be read: {error!r}") from error
