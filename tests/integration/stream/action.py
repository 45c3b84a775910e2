"""Plays the platform around the stream service: accepts an execution, runs it, writes its log with the real writer."""

from __future__ import annotations

from typing import Any, Protocol

from bson import ObjectId
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.executions import Executions, liveaction_id
from st2common.models.statuses import Status
from st2common.output.chunk import Stream
from st2common.output.doorbell import Doorbell
from st2common.output.log import Position
from st2common.output.masking import Secrets
from st2common.output.mongo_log import MongoOutputLog
from st2common.output.writer import Arrival, Writer
from st2common.services.events import ExecutionEvents

# Lines of a test arrive this far apart, in microseconds: each is an event of its own.
APART_US = 10_000


class Notifier(Protocol):
    def notify(self, exchange: str, routing_key: str, body: dict[str, Any]) -> None: ...


class Nobody:
    """A broker that loses everything."""

    def notify(self, exchange: str, routing_key: str, body: dict[str, Any]) -> None:
        pass


class Action:
    """One execution. What is told goes to ``told_to``; the doorbell rings at ``bell``, there too if not said."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        told_to: Any,
        ref: str = "core.local",
        parent: str | None = None,
        bell: Any = None,
        runner: str = "local-shell-cmd",
    ) -> None:
        self.id = str(ObjectId())
        self.liveaction_id = liveaction_id(self.id)
        self._log = MongoOutputLog(database)
        self._bell = Doorbell(bell or told_to)
        self._executions = Executions(database)
        self._events = ExecutionEvents(told_to, "https://localhost")
        self._now = now_us()
        self._executions.insert(self._document(ref, parent, runner))
        self._events.created(self.stored)

    def _document(self, ref: str, parent: str | None, runner: str) -> dict[str, Any]:
        pack, _, name = ref.partition(".")
        context: dict[str, Any] = {"user": "stanley", "pack": pack}
        if parent:
            context["parent"] = {"execution_id": parent, "user": "stanley", "pack": pack}
        return {
            "_id": ObjectId(self.id),
            "status": str(Status.REQUESTED),
            "action": {"ref": ref, "pack": pack, "name": name, "runner_type": runner, "parameters": {}},
            "runner": {"name": runner, "runner_parameters": {}},
            "liveaction": {"id": self.liveaction_id, "callback": {}, "runner_info": {}},
            "context": context,
            "parameters": {"cmd": "date"},
            "log": [{"status": str(Status.REQUESTED), "timestamp": self._now}],
            "start_timestamp": self._now,
            "attempt": 0,
            **({"parent": parent} if parent else {}),
        }

    @property
    def stored(self) -> dict[str, Any]:
        stored = self._executions.get(self.id)
        assert stored
        return stored

    def run(self, stream_output: bool = True) -> Action:
        fields = {"stream_output": stream_output}
        assert self._executions.claim(self.id, "runner", now_us() + 60_000_000, fields)
        self._events.claimed(self.stored)
        self._writer = Writer(self._log, self._bell, self.id, 1, Position(), Secrets())
        return self

    def print(self, *texts: str | bytes, stream: Stream = Stream.STDOUT) -> None:
        """Write texts that arrived one after the other, in one batch."""
        arrivals = []
        for text in texts:
            self._now += APART_US
            arrivals.append(Arrival(stream, text.encode() if isinstance(text, str) else text, self._now))
        self._writer.write(arrivals)
        self._writer.flush()

    def end(self, status: Status = Status.SUCCEEDED, told: bool = True) -> None:
        self.end_log(status)
        self.set_status(status, told)

    def end_log(self, status: Status = Status.SUCCEEDED) -> None:
        self._writer.finish(str(status), 0)

    def set_status(self, status: Status = Status.SUCCEEDED, told: bool = True) -> None:
        assert self._executions.change(self.id, status, fields={"result": {"return_code": 0}})
        if told:
            self.tell()

    def tell(self) -> None:
        """Tell everybody how it stands."""
        self._events.updated(self.stored)
