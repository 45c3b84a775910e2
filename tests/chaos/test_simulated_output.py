"""Thousands of schedules of {write, crash, restart, pause, take over, outage, reconnect} against the log's own code.

A failure names its seed: ``SIMULATION_SEED=<seed> SIMULATION_SCHEDULES=1`` plays that schedule alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from st2common import clock
from st2common.errors import Fenced
from st2common.output import reader as reader_module
from st2common.output import writer as writer_module
from st2common.output.bells import BellTower
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.doorbell import Doorbell
from st2common.output.log import LogUnavailable, Position
from st2common.output.masking import Masker, Secrets
from st2common.output.memory_log import MemoryOutputLog
from st2common.output.mongo_log import MongoOutputLog
from st2common.output.reader import Reader
from st2common.output.writer import Arrival, Writer
from tests.chaos.simulation.broker import SimulatedBroker
from tests.chaos.simulation.database import SimulatedDatabase
from tests.chaos.simulation.play import play
from tests.chaos.simulation.schedule import Actor, Schedule
from tests.output_logs import contents, everything, new_execution

SECRET = b"hush-hush"
SECRETS = Secrets([SECRET.decode()])
PIECES = [b"line\n", b"one\ntwo\n", b"\n", b"half", SECRET, b"hush", b"-hush\n", b"hush-", b"\xff\x00\n", b"x" * 70]


class RemoteLog:
    """The log in memory behind a connection: it fails before it has done what it was asked, or after."""

    def __init__(self, database: SimulatedDatabase) -> None:
        self._log = MemoryOutputLog()
        self._database = database

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*arguments: object) -> object:
            try:
                self._database.step()
                answer = getattr(self._log, name)(*arguments)
                self._database.step()
            except AutoReconnect as error:
                raise LogUnavailable(str(error)) from error
            return answer

        return ask


def mongo_log(database: SimulatedDatabase) -> MongoOutputLog:
    log = MongoOutputLog(database)  # type: ignore[arg-type]
    log.ensure_indexes()
    return log


class Watcher:
    """Reads a log to its end. Its connection breaks now and then, and it comes back with its cursor."""

    def __init__(self, world: World, stream: Stream | None) -> None:
        self.stream = stream
        self.seen: list[Chunk] = []
        self.end: End | None = None
        self._world = world

    def watch(self) -> None:
        world, cursor = self._world, 0
        while self.end is None:
            reader = Reader(world.log, world.bells, world.execution, self.stream, after=cursor)
            for item in reader.follow():
                if isinstance(item, Chunk):
                    self.seen.append(item)
                    cursor = reader.cursor
                elif item:
                    self.end = item
                world.schedule.sleep(0.0 if item else 0.3)
                if world.chance.random() < world.trouble / 20:
                    break


class World:
    """One execution with its source, its runners, its watchers, and the trouble that they get into."""

    def __init__(self, seed: int, make_log: Callable[[SimulatedDatabase], Any]) -> None:
        self.schedule = Schedule(seed)
        self.chance = self.schedule.chance
        self.broker = SimulatedBroker(self.schedule)
        self.database = SimulatedDatabase(self.schedule)
        self.log = make_log(self.database)
        self.bells = BellTower(self.broker)  # type: ignore[arg-type]
        self.execution = new_execution()
        #: How much goes wrong, 0 to 1.
        self.trouble = self.chance.choice((0.0, 0.3, 1.0))
        self.database.faulty = self.broker.faulty = self.trouble > 0
        self.over = False
        #: By attempt, what its child prints: another child, other bytes.
        self.sources: dict[int, list[Arrival]] = {}
        #: What a writer was told is durable, by attempt and number.
        self.acknowledged: dict[tuple[int, int], Chunk] = {}
        self.ended: dict[int, End] = {}
        self.fenced: set[int] = set()
        self.watchers: list[Watcher] = []
        self.runners: list[Actor] = []
        self._new_attempt()
        self.schedule.spawn("trouble", self._disturb)

    def play(self) -> None:
        self.schedule.run(lambda: bool(self.watchers) and all(watcher.end for watcher in self.watchers) and self.calm)

    @property
    def calm(self) -> bool:
        return self.over and not any(runner.alive for runner in self.runners)

    def _new_attempt(self) -> None:
        attempt = len(self.sources) + 1
        self.sources[attempt] = [
            Arrival(self.chance.choice(list(Stream)), self.chance.choice(PIECES), clock.now_us() + number)
            for number in range(self.chance.randrange(12))
        ]
        self._start_runner(attempt)

    def _start_runner(self, attempt: int) -> None:
        self.runners.append(self.schedule.spawn(f"runner of attempt {attempt}", lambda: self._run(attempt)))

    def _run(self, attempt: int) -> None:
        """What a runner does with a spool, from the beginning or after a crash."""
        try:
            writer = self._writer(attempt)
            for arrivals in self._batches(attempt):
                self.schedule.turn()
                writer.write(arrivals)
                self._acknowledge(attempt)
                if self.chance.random() < 0.3:
                    writer.flush()
                    self._acknowledge(attempt)
            self.ended[attempt] = writer.finish(self.chance.choice(("succeeded", "canceled")), attempt)
            self._acknowledge(attempt)
        except Fenced:
            # Rightly so? The end tells who owns the log.
            self.fenced.add(attempt)

    def _writer(self, attempt: int) -> Writer:
        self._numbered: dict[int, list[Chunk]] = {**getattr(self, "_numbered", {}), attempt: []}
        numbered = self._numbered[attempt]
        while True:
            try:
                position = (
                    self.log.resume(self.execution, 1) if attempt == 1 else self.log.take_over(self.execution, attempt)
                )
            except LogUnavailable:
                self.schedule.sleep(0.1)
            else:
                assert isinstance(position, Position)
                bell = Doorbell(self.broker)  # type: ignore[arg-type]
                return Writer(self.log, bell, self.execution, attempt, position, SECRETS, on_chunk=numbered.append)

    def _batches(self, attempt: int) -> list[list[Arrival]]:
        batches: list[list[Arrival]] = [[]]
        for arrival in self.sources[attempt]:
            batches[-1].append(arrival)
            if self.chance.random() < 0.4:
                batches.append([])
        return batches

    def _acknowledge(self, attempt: int) -> None:
        for chunk in self._numbered[attempt]:
            self.acknowledged[attempt, chunk.seq] = chunk

    def _disturb(self) -> None:
        troubles = [self._crash, self._crash, self._pause, self._take_over, self._outage, self._reconnect, self._watch]
        for _ in range(self.chance.randrange(12) if self.trouble else 0):
            self.schedule.sleep(self.chance.choice((0.0, 0.01, 0.5)))
            self.chance.choice(troubles)()
        for _ in range(self.chance.randrange(1, 4)):
            self.schedule.sleep(self.chance.choice((0.0, 0.1, 2.0)))
            self._watch()
        self.trouble, self.over = 0.0, True
        self.database.faulty = self.broker.faulty = False

    def _crash(self) -> None:
        """The runner of the latest attempt dies and starts again; what it keeps is the spool."""
        runner = self.runners[-1]
        if runner.alive:
            runner.crash()
            self.schedule.sleep(self.chance.choice((0.0, 0.2)))
            self._start_runner(len(self.sources))

    def _pause(self) -> None:
        self.runners[-1].sleep(self.schedule.now + self.chance.choice((0.1, 5.0)))

    def _take_over(self) -> None:
        """The runner is taken for dead, dead or not, and the action begins again elsewhere."""
        if len(self.sources) < 4 and self.runners[-1].alive:
            self._pause()
            self._new_attempt()

    def _outage(self) -> None:
        self.database.away = self.chance.random() < 0.7
        self.broker.away = self.chance.random() < 0.5
        self.schedule.sleep(self.chance.choice((0.1, 3.0)))
        self.database.away = self.broker.away = False
        self.broker.reconnect()

    def _reconnect(self) -> None:
        self.broker.reconnect()

    def _watch(self) -> None:
        watcher = Watcher(self, self.chance.choice((None, *Stream)))
        self.watchers.append(watcher)
        self.schedule.spawn("watcher", watcher.watch)

    # What must be true in the end.

    def check(self) -> None:
        log = everything(self.log, self.execution)
        self._check_numbers(log)
        self._check_bytes(log)
        self._check_end(log)
        for watcher in self.watchers:
            wanted = [chunk for chunk in log if chunk.data and watcher.stream in (None, chunk.stream)]
            assert [_shown(chunk) for chunk in watcher.seen] == [_shown(chunk) for chunk in wanted]
            assert watcher.end == self.log.end(self.execution)

    def _check_numbers(self, log: list[Chunk]) -> None:
        assert [chunk.seq for chunk in log] == list(range(1, len(log) + 1))
        for stream in Stream:
            own = [chunk for chunk in log if chunk.stream is stream]
            assert [chunk.stream_seq for chunk in own] == list(range(1, len(own) + 1))
            assert [chunk.offset for chunk in own] == [len(contents(own[:number])) for number in range(len(own))]
        attempts = [chunk.attempt for chunk in log if chunk.data]
        assert attempts == sorted(attempts), "a fenced attempt has written"
        stored = {(chunk.attempt, chunk.seq): chunk for chunk in log}
        for place, chunk in self.acknowledged.items():
            assert stored.get(place) == chunk, "acknowledged output is gone"

    def _check_bytes(self, log: list[Chunk]) -> None:
        owner = self.log.end(self.execution).attempt
        for attempt in self.sources:
            for stream in Stream:
                got = contents([chunk for chunk in log if chunk.attempt == attempt], stream)
                whole = _masked(self.sources[attempt], stream)
                assert SECRET not in got
                assert got == whole if attempt == owner else whole.startswith(got)

    def _check_end(self, log: list[Chunk]) -> None:
        end = self.log.end(self.execution)
        assert end.seq == len(log) + 1
        assert end.attempt not in self.fenced
        assert set(self.ended) <= {end.attempt}, "another attempt was told that it ended the log"
        assert all(told == end for told in self.ended.values())
        for stream in Stream:
            assert end.total(stream).bytes == len(contents(log, stream))


def _shown(chunk: Chunk) -> tuple[int, int, Stream, int, bytes]:
    return (chunk.seq, chunk.stream_seq, chunk.stream, chunk.offset, chunk.data)


def _masked(source: list[Arrival], stream: Stream) -> bytes:
    masker = Masker(SECRETS.needles)
    whole = b"".join(arrival.data for arrival in source if arrival.stream is stream)
    return masker.feed(whole) + masker.close()


def play_schedules(
    monkeypatch: pytest.MonkeyPatch, make_log: Callable[[SimulatedDatabase], Any], schedules: int
) -> None:
    # A reader that does not wait gives its turn away instead.
    monkeypatch.setattr(reader_module, "POLL_INTERVAL", 0.0)
    play(monkeypatch, lambda seed: World(seed, make_log), [clock, writer_module, reader_module], schedules)


LOGS = pytest.mark.parametrize("make_log", [RemoteLog, mongo_log], ids=["memory", "mongo"])


@LOGS
def test_nothing_is_lost_or_doubled_whatever_happens_when(
    monkeypatch: pytest.MonkeyPatch, make_log: Callable[[SimulatedDatabase], Any]
) -> None:
    play_schedules(monkeypatch, make_log, 1000)


@pytest.mark.full
@pytest.mark.timeout(2700)
@LOGS
def test_nothing_is_lost_or_doubled_in_many_more_schedules(
    monkeypatch: pytest.MonkeyPatch, make_log: Callable[[SimulatedDatabase], Any]
) -> None:
    play_schedules(monkeypatch, make_log, 30_000)
