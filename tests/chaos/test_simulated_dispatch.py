"""Thousands of schedules of {accept, crash, pause, outage, duplicate, reorder} against what dispatches executions.

Executions, leases, sweeper, rescuer and log are the product's own; hosts with runners and a collector live around them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from bson import ObjectId
from pymongo.errors import PyMongoError

from st2actionrunner.leases import RENEW_INTERVAL, lease_until, require_lease
from st2common import clock
from st2common.clock import now_us
from st2common.errors import Fenced, TransportError
from st2common.models.executions import Executions, liveaction_id
from st2common.models.statuses import COMPLETED, Status
from st2common.output import writer as writer_module
from st2common.output.chunk import Stream
from st2common.output.doorbell import Doorbell
from st2common.output.log import LogUnavailable, Position
from st2common.output.masking import Secrets
from st2common.output.mongo_log import MongoOutputLog
from st2common.output.writer import Arrival, Writer
from st2common.services.events import ExecutionEvents
from st2common.services.repeats import MAX_RUNS, TAG
from st2common.services.work_queue import publish_execution
from st2garbagecollector import rescuer as rescuer_module
from st2garbagecollector.rescuer import Rescuer
from st2garbagecollector.sweeper import Sweeper
from tests.chaos.simulation.broker import SimulatedBroker
from tests.chaos.simulation.database import SimulatedDatabase
from tests.chaos.simulation.play import play
from tests.chaos.simulation.schedule import Actor, Schedule
from tests.output_logs import contents, everything

T = TypeVar("T")


class Host:
    """A runner, and what renews its leases. Both die together."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.actors: list[Actor] = [
            world.schedule.spawn(f"{name} works", lambda: world.work(self)),
            world.schedule.spawn(f"{name} renews", lambda: world.renew(self)),
        ]
        self.held: dict[str, int] = {}

    @property
    def alive(self) -> bool:
        return all(actor.alive for actor in self.actors)


class World:
    def __init__(self, seed: int) -> None:
        self.schedule = Schedule(seed)
        self.chance = self.schedule.chance
        self.broker = SimulatedBroker(self.schedule)
        self.database = SimulatedDatabase(self.schedule)
        self.executions = Executions(self.database)  # type: ignore[arg-type]
        self.log = MongoOutputLog(self.database)  # type: ignore[arg-type]
        self.log.ensure_indexes()
        self.database.faulty = self.broker.faulty = self.chance.random() < 0.8
        self.over = False
        self.accepted: dict[str, bool] = {}
        #: By execution and attempt: who claimed it.
        self.claims: dict[tuple[str, int], list[str]] = defaultdict(list)
        #: By execution: the attempts whose child has begun.
        self.begun: dict[str, list[int]] = defaultdict(list)
        self.hosts = [Host(self, f"host {number}") for number in range(2)]
        self.schedule.spawn("collector", self._collect)
        self.schedule.spawn("api", self._accept)
        self.schedule.spawn("trouble", self._disturb)

    def play(self) -> None:
        self.schedule.run(lambda: self.over and all(self._status(each) in COMPLETED for each in self.accepted))

    def _status(self, execution_id: str) -> Status | None:
        return self.executions.status(execution_id)

    def _until_done(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except (PyMongoError, LogUnavailable):
                self.schedule.sleep(self.chance.choice((0.1, 1.0)))

    # Who asks for executions.

    def _accept(self) -> None:
        for number in range(self.chance.randrange(1, 5)):
            identity, repeatable = ObjectId(f"{number + 1:024x}"), self.chance.random() < 0.5
            tags = [{"name": TAG, "value": True}] if repeatable else []
            document = {
                "_id": identity,
                "status": "requested",
                "action": {"ref": "core.local", "tags": tags},
                "runner": {"name": "local-shell-cmd"},
                "liveaction": {"id": liveaction_id(str(identity))},
                "parameters": {},
                "context": {"user": "somebody"},
                "log": [],
                "attempt": 0,
                "start_timestamp": now_us(),
            }
            try:
                self.executions.insert(document)
            except PyMongoError:
                continue  # refused
            self.accepted[str(identity)] = repeatable
            try:
                publish_execution(self.broker, document)  # type: ignore[arg-type]
            except TransportError:
                self.schedule.turn()  # accepted all the same
            self.schedule.sleep(self.chance.choice((0.0, 1.0, 30.0)))
        self.accepting = False

    accepting = True

    # Runners.

    def work(self, host: Host) -> None:
        while True:
            body = self.broker.take()
            held = self._claim(host, body["execution_id"]) if body else None
            if held:
                self._run(host, held)
            else:
                self.schedule.sleep(2.0)

    def renew(self, host: Host) -> None:
        while True:
            if host.held:
                self._until_done(lambda: self.executions.renew_leases(host.name, [*host.held], lease_until()))
            self.schedule.sleep(RENEW_INTERVAL)

    def _claim(self, host: Host, execution_id: str) -> dict[str, Any] | None:
        unsure = False
        while True:
            try:
                held = self.executions.claim(execution_id, host.name, lease_until(), {})
                if held is None and unsure:
                    # An earlier try may have been successful, and its answer was lost.
                    found = self.executions.get(execution_id)
                    held = found if found and found["status"] == "running" and found["owner"] == host.name else None
            except PyMongoError:
                unsure = True
                self.schedule.sleep(0.1)
            else:
                if held:
                    self.claims[execution_id, held["attempt"]].append(host.name)
                return held

    def _run(self, host: Host, held: dict[str, Any]) -> None:
        execution_id, attempt = str(held["_id"]), held["attempt"]
        host.held[execution_id] = attempt
        try:
            position = (
                Position() if attempt == 1 else self._until_done(lambda: self.log.take_over(execution_id, attempt))
            )
            self._until_done(lambda: require_lease(self.executions, held))
            self.begun[execution_id].append(attempt)
            writer = Writer(self.log, Doorbell(self.broker), execution_id, attempt, position, Secrets())  # type: ignore[arg-type]
            for number in range(3):
                self.schedule.sleep(self.chance.choice((0.0, 1.0, 25.0)))
                writer.write([Arrival(Stream.STDOUT, b"%d\n" % number, now_us())])
            end = writer.finish("succeeded", 0)
            self._until_done(lambda: self.executions.end(held, Status(end.status), {}))
        except Fenced:
            pass  # somebody else ends it
        finally:
            del host.held[execution_id]

    # Who cares for what is left.

    def _collect(self) -> None:
        events = ExecutionEvents(self.broker)  # type: ignore[arg-type]
        sweeper = Sweeper(self.executions, self.broker)  # type: ignore[arg-type]
        rescuer = Rescuer(self.executions, self.log, self.broker, events, "collector")  # type: ignore[arg-type]
        while True:
            for job in (rescuer, sweeper):
                try:
                    job.run()
                except (PyMongoError, LogUnavailable):
                    self.schedule.turn()
            self.schedule.sleep(2.0)

    def _disturb(self) -> None:
        for _ in range(self.chance.randrange(8) if self.database.faulty else 0):
            self.schedule.sleep(self.chance.choice((0.0, 0.5, 10.0, 40.0)))
            self.chance.choice([self._crash, self._pause, self._outage])()
        while self.accepting:
            self.schedule.sleep(1.0)
        self.database.faulty = self.broker.faulty = False
        self.over = True

    def _crash(self) -> None:
        """A host dies, and another one comes in its place."""
        host = self.chance.choice(self.hosts)
        for actor in host.actors:
            actor.crash()
        self.hosts.remove(host)
        self.hosts.append(Host(self, f"{host.name}'"))

    def _pause(self) -> None:
        """A host stands still, perhaps for longer than its leases."""
        until = self.schedule.now + self.chance.choice((5.0, 50.0, 100.0))
        for actor in self.chance.choice(self.hosts).actors:
            actor.sleep(until)

    def _outage(self) -> None:
        self.database.away = self.chance.random() < 0.7
        self.broker.away = self.chance.random() < 0.5
        self.schedule.sleep(self.chance.choice((1.0, 60.0)))
        self.database.away = self.broker.away = False

    # What must be true in the end.

    def check(self) -> None:
        for place, owners in self.claims.items():
            assert len(owners) == 1, f"{place} was claimed by {owners}"
        for execution_id, repeatable in self.accepted.items():
            begun = self.begun[execution_id]
            assert len(begun) <= (MAX_RUNS if repeatable else 1), "an action ran too often"
            assert begun == sorted(set(begun))
            log, end = everything(self.log, execution_id), self.log.end(execution_id)
            assert end is not None
            assert end.status == self._status(execution_id)
            assert [chunk.seq for chunk in log] == list(range(1, end.seq))
            attempts = [chunk.attempt for chunk in log if chunk.data]
            assert attempts == sorted(attempts), "a fenced attempt has written"
            if end.status == "succeeded":
                last = [chunk for chunk in log if chunk.attempt == end.attempt]
                assert contents(last, Stream.STDOUT) == b"0\n1\n2\n"


@pytest.mark.parametrize("schedules", [80, pytest.param(20_000, marks=[pytest.mark.full, pytest.mark.timeout(2700)])])
def test_what_is_accepted_ends_once_and_has_one_owner(monkeypatch: pytest.MonkeyPatch, schedules: int) -> None:
    play(monkeypatch, World, [clock, writer_module, rescuer_module], schedules)
