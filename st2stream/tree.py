"""The output of a workflow: all that its steps print, and theirs where they are workflows, in one stream.

Each step is told with its place before its first line, and its end after its last. The lines of one step come in order;
those of steps that run at the same time come as they are printed; a step that ended before another began comes before
it. What has ended before the stream begins comes step by step.

A watcher that comes back tells what it has (``since``); it is still told the steps anew, and may get again what it
did not tell. So watchers count the numbers of each execution.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import PyMongoError

from st2common.clock import isoformat
from st2common.models import execution_tree
from st2common.models.executions import Executions
from st2common.models.runner_types import WORKFLOWS
from st2common.models.statuses import COMPLETED, Status
from st2common.output.bells import BellTower
from st2common.output.chunk import End
from st2stream import sse
from st2stream.feeds import Encoded, FeedHub, Subject

LOG = logging.getLogger(__name__)

Document = dict[str, Any]

# Events on their way to a watcher; whoever does not read slows its own stream only.
_MAX_WAITING = 256

# Seconds: between two looks at the steps of a workflow without news, and at least between any two.
_LOOK_INTERVAL = 1.0
_REST = 0.05
# Seconds between two looks whether the watcher is still there.
_PATIENCE = 1.0

# Steps that wait print nothing, and there may be very many of them.
_NOT_BEGUN = frozenset({Status.REQUESTED, Status.SCHEDULED, Status.DELAYED})

_READ = {
    "status": 1,
    "action.ref": 1,
    "action.uid": 1,
    "action.pack": 1,
    "runner.name": 1,
    "context.user": 1,
    "context.orquesta.task_name": 1,
    "context.orquesta.item_id": 1,
    "context.chain.name": 1,
    "end_timestamp": 1,
}


@dataclass(frozen=True)
class Node:
    """An execution of the tree."""

    execution: Document
    #: The names of the tasks that lead to it: ``deploy/check``, ``each[3]``; "" for the workflow itself.
    path: str = ""

    @property
    def id(self) -> str:
        return str(self.execution["_id"])

    @property
    def is_workflow(self) -> bool:
        return self.execution["runner"]["name"] in WORKFLOWS

    @property
    def ended(self) -> bool:
        return self.execution["status"] in COMPLETED

    @property
    def subject(self) -> Subject:
        return Subject(self.id, self.execution["action"]["ref"], self.execution["runner"]["name"])

    def child(self, execution: Document) -> Node:
        return Node(execution, f"{self.path}/{_name(execution)}".lstrip("/"))

    def started(self) -> bytes:
        document = {
            "execution_id": self.id,
            "parent": self.execution.get("parent"),
            "path": self.path,
            "action_ref": self.execution["action"]["ref"],
            "timestamp": isoformat(self.execution["start_timestamp"]),
        }
        return sse.event(sse.OUTPUT_START, document)


class Tree:
    def __init__(
        self,
        feeds: FeedHub,
        bells: BellTower,
        executions: Executions,
        may_see: Callable[[Mapping[str, Any]], bool],
        since: Mapping[str, int],
        output_type: str = "all",
    ) -> None:
        """``since``: the number of the last chunk that the watcher has, by execution. ``output_type``: ``stdout``,
        ``stderr``, or ``all``."""
        self._feeds = feeds
        self._bells = bells
        self._executions = executions
        self._may_see = may_see
        self._since = since
        self._output_type = output_type
        self._events: queue.Queue[bytes | None] = queue.Queue(_MAX_WAITING)
        self._closed = threading.Event()

    def stored(self, root: Document) -> Iterator[bytes]:
        """What there is now, step by step.

        Raises:
            LogUnavailable, PyMongoError: the database does not answer.
        """
        yield from self._stored_below(Node(root))
        yield sse.EOF

    def follow(self, root: Document) -> Iterator[bytes]:
        """Everything until the end; empty where there was nothing for a while."""
        thread = threading.Thread(target=self._guarded, args=(self._follow_workflow, Node(root)), daemon=True)
        thread.start()
        try:
            while True:
                try:
                    event = self._events.get(timeout=_PATIENCE)
                except queue.Empty:
                    yield b""
                    continue
                if event is None:
                    return
                yield event
        finally:
            self._closed.set()

    def _stored_below(self, workflow: Node) -> Iterator[bytes]:
        for execution in self._begun(workflow):
            yield from self._stored_step(workflow.child(execution))
        if workflow.ended:
            yield _end(workflow.execution)

    def _stored_step(self, node: Node) -> Iterator[bytes]:
        yield node.started()
        yield from self._stored_below(node) if node.is_workflow else self._stored(node)

    def _stored(self, node: Node) -> Iterator[bytes]:
        ended = False
        for item in self._feeds.stored(node.subject, self._since.get(node.id, 0)):
            ended = ended or isinstance(item, End)
            yield self._encoded(item)
        if not ended and node.ended:
            yield _end(node.execution)

    def _begun(self, workflow: Node) -> list[Document]:
        found = execution_tree.children_of(self._executions.collection, [workflow.id], _READ)
        return [each for each in found if each["status"] not in _NOT_BEGUN and self._may_see(each)]

    # What the threads do: one for each workflow, one for each step that runs.

    def _guarded(self, follow: Callable[[Node], None], node: Node) -> None:
        try:
            follow(node)
        except _Gone:
            return
        except Exception:
            # The watcher is cut off, and comes back.
            LOG.exception("The output of workflow execution %s does not reach a watcher", node.id)
            self._closed.set()
        finally:
            if not node.path:
                self._finish()

    def _follow_workflow(self, workflow: Node) -> None:
        seen: set[str] = set()
        running: dict[str, threading.Thread] = {}
        with self._bells.listen(workflow.id) as ear:
            while True:
                try:
                    # In this order: all steps of a workflow that has ended are there.
                    current = self._executions.get(workflow.id, _READ | {"start_timestamp": 1}) or workflow.execution
                    steps = self._begun(workflow)
                except PyMongoError as error:
                    LOG.warning("A watcher of workflow execution %s waits: %s", workflow.id, error)
                    steps, current = [], workflow.execution
                begun = [each for each in steps if str(each["_id"]) not in seen]
                if begun:
                    ended = [str(each["_id"]) for each in steps if each["status"] in COMPLETED]
                    self._wait_for(running[each] for each in ended if each in running)
                for execution in begun:
                    seen.add(str(execution["_id"]))
                    self._begin(workflow.child(execution), running)
                if current["status"] in COMPLETED:
                    break
                self._check()
                ear.wait(_LOOK_INTERVAL)
                while ear.wait(0):
                    pass
                time.sleep(_REST)
        self._wait_for(running.values())
        self._put(_end(current))
        if not workflow.path:
            self._put(sse.EOF)

    def _wait_for(self, threads: Iterable[threading.Thread]) -> None:
        for thread in threads:
            while thread.is_alive():
                thread.join(_PATIENCE)
                self._check()

    def _begin(self, node: Node, running: dict[str, threading.Thread]) -> None:
        if node.ended:
            # Nothing more comes of it: no thread is needed, however many there are.
            for event in self._stored_step(node):
                self._put(event)
            return
        self._put(node.started())
        follow = self._follow_workflow if node.is_workflow else self._relay
        thread = threading.Thread(target=self._guarded, args=(follow, node), daemon=True)
        running[node.id] = thread
        thread.start()

    def _relay(self, node: Node) -> None:
        for item in self._feeds.watch(node.subject, self._since.get(node.id, 0), _PATIENCE):
            if event := self._encoded(item):
                self._put(event)
            else:
                self._check()

    def _encoded(self, item: Encoded | End | None) -> bytes:
        if isinstance(item, End):
            return sse.event(sse.OUTPUT_END, sse.end_document(item))
        if item is None or self._output_type not in ("all", item.stream):
            return b""
        return item.without_ids()

    def _put(self, event: bytes | None) -> None:
        while True:
            self._check()
            try:
                self._events.put(event, timeout=_PATIENCE)
            except queue.Full:
                continue
            return

    def _check(self) -> None:
        if self._closed.is_set():
            raise _Gone

    def _finish(self) -> None:
        """Nothing more comes."""
        while True:
            try:
                self._events.put(None, timeout=_PATIENCE)
            except queue.Full:
                if not self._closed.is_set():
                    continue
            return


class _Gone(Exception):
    """Nobody watches any more."""


def _name(execution: Mapping[str, Any]) -> str:
    context = execution.get("context") or {}
    task = context.get("orquesta") or {}
    name = str(task.get("task_name") or (context.get("chain") or {}).get("name") or "unknown")
    return name if task.get("item_id") is None else f"{name}[{task['item_id']}]"


def _end(execution: Mapping[str, Any]) -> bytes:
    """Of an execution without an end in its log: it had none, or it was removed."""
    ended = execution.get("end_timestamp") or execution["start_timestamp"]
    record = End(str(execution["_id"]), seq=0, attempt=0, status=execution["status"], exit_code=None, time_us=ended)
    return sse.event(sse.OUTPUT_END, sse.end_document(record))
