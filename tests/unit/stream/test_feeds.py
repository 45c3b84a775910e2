"""Watchers that come at any time, fall behind, or are ahead of the log: each gets every chunk once, then the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest

from st2common.output import reader
from st2common.output.bells import BellTower
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.doorbell import Doorbell
from st2common.output.log import LogUnavailable, Position
from st2common.output.masking import Secrets
from st2common.output.memory_log import MemoryOutputLog
from st2common.output.writer import Arrival, Writer
from st2common.transport.memory import MemoryTransport
from st2stream import feeds
from st2stream.feeds import Encoded, FeedHub, Subject
from tests.conditions import eventually
from tests.output_logs import new_execution

CHUNKS = 60


class RestlessLog(MemoryOutputLog):
    """Whose database is away now and then."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def read(self, execution_id: str, after: int) -> list[Chunk]:
        if self._chance.random() < 0.2:
            raise LogUnavailable("away")
        return super().read(execution_id, after)


class Stage:
    """A log, its writer, and those who watch."""

    def __init__(self, log: MemoryOutputLog) -> None:
        self.subject = Subject(new_execution(), "core.local", "local-shell-cmd")
        self.broker = MemoryTransport()
        self.bells = BellTower(self.broker)
        self.hub = FeedHub(log, self.bells, lambda _: None)
        self.log = log
        self.writer = Writer(log, Doorbell(self.broker), self.subject.execution_id, 1, Position(), Secrets())
        self.threads: list[threading.Thread] = []

    def print(self, number: int) -> None:
        self.writer.write([Arrival(Stream.STDOUT, b"%d\n" % number, number)])

    def end(self) -> None:
        self.writer.finish("succeeded", 0)

    def watch(self, after: int = 0, leave_at: int | None = None) -> list[int | str]:
        """What a watcher gets, filled from now on: the numbers of chunks and the final status."""
        got: list[int | str] = []

        def run() -> None:
            watching = self.hub.watch(self.subject, after, 0.01)
            for item in watching:
                if isinstance(item, Encoded):
                    assert f'"{item.seq - 1}\\n"'.encode() in item.events
                    got.append(item.seq)
                elif isinstance(item, End):
                    got.append(item.status)
                if leave_at and len(got) >= leave_at:
                    break
            watching.close()  # type: ignore[attr-defined]

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()
        return got

    def everybody_has_left(self) -> None:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()
        eventually(lambda: not any(thread.name.startswith("feed-") for thread in threading.enumerate()))


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RING_CHUNKS", 3)
    monkeypatch.setattr(feeds, "POLL_INTERVAL", 0.01)
    monkeypatch.setattr(reader, "POLL_INTERVAL", 0.01)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage(MemoryOutputLog())
    yield stage
    stage.broker.close()


@pytest.mark.parametrize("seed", range(8))
def test_watchers_that_come_and_go_at_random(seed: int) -> None:
    chance = random.Random(seed)
    stage = Stage(RestlessLog(chance) if seed % 2 else MemoryOutputLog())
    expected, got = [], []
    for number in range(CHUNKS):
        stage.print(number)
        if chance.random() < 0.3:
            after = chance.randrange(number + 1)
            leave_at = chance.choice([None, None, 5])
            everything = [*range(after + 1, CHUNKS + 1), "succeeded"]
            expected.append(everything[:leave_at])
            got.append(stage.watch(after, leave_at))
    stage.end()
    stage.everybody_has_left()
    stage.broker.close()
    assert got == expected


def test_watchers_that_are_ahead_of_the_log(stage: Stage) -> None:
    ahead = [stage.watch(after) for after in (1, 7, 10**15)]
    watching = stage.watch()
    for number in range(10):
        stage.print(number)
    eventually(lambda: len(watching) == 10)
    stage.end()
    stage.everybody_has_left()
    assert watching == [*range(1, 11), "succeeded"]
    assert ahead == [[*range(2, 11), "succeeded"], [8, 9, 10, "succeeded"], ["succeeded"]]


def test_a_watcher_that_falls_behind_the_ring(stage: Stage) -> None:
    watching = stage.hub.watch(stage.subject, 0, 10)
    stage.print(0)
    assert isinstance(next(watching), Encoded)
    stage.print(1)
    other = stage.watch()
    eventually(lambda: len(other) == 2)
    for number in range(2, 20):
        stage.print(number)
    eventually(lambda: len(other) == 20)
    stage.end()
    rest = list(watching)
    assert [item.seq for item in rest if isinstance(item, Encoded)] == list(range(2, 21))
    assert isinstance(rest[-1], End)
    stage.everybody_has_left()


def test_the_ring_is_bounded_by_bytes_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RING_CHUNKS", 1000)
    monkeypatch.setattr(feeds, "RING_BYTES", 100)
    watching = stage.watch()
    for number in range(10):
        stage.print(number)
        eventually(lambda count=number + 1: len(watching) == count)
    [feed] = stage.hub._feeds.values()
    assert len(feed._ring) == 1
    stage.end()
    stage.everybody_has_left()


def test_an_error_in_a_feed_cuts_its_watchers_off(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = stage.hub.watch(stage.subject, 0, 0.01)
    assert next(watching) is None
    with monkeypatch.context() as patch:
        patch.setattr(stage.log, "read", lambda *_: 1 / 0)
        with pytest.raises(feeds.FeedBroken):
            list(watching)
    assert "broke" in caplog.text
    # Whoever comes back finds everything.
    stage.print(0)
    stage.end()
    assert [item.seq for item in stage.hub.watch(stage.subject, 0, 0.01) if isinstance(item, Encoded)] == [1]
