"""Whatever happens between them, every reader gets the writer's bytes: in order, once, and then the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from st2common.errors import Fenced
from st2common.output import reader as reader_module
from st2common.output import writer as writer_module
from st2common.output.bells import BellTower
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.doorbell import Doorbell
from st2common.output.log import LogUnavailable, Position
from st2common.output.masking import MASK, Secrets
from st2common.output.memory_log import MemoryOutputLog
from st2common.output.reader import Reader
from st2common.output.writer import Arrival, Writer
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Body
from tests.output_logs import contents, everything, new_execution

READERS = 50


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "POLL_INTERVAL", 0.005)
    monkeypatch.setattr(writer_module, "_RETRY_FIRST", 0.0005)
    monkeypatch.setattr(writer_module, "_RETRY_MAX", 0.001)


class BadBroker(MemoryTransport):
    """Loses, doubles and reorders events."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self._held: list[tuple[str, str, Body]] = []

    def notify(self, exchange: str, routing_key: str, body: Body) -> None:
        self._held.append((exchange, routing_key, body))
        while self._held and self._chance.random() < 0.6:
            event = self._held.pop(self._chance.randrange(len(self._held)))
            for _ in range(self._chance.choice([0, 1, 1, 2])):
                super().notify(*event)


class BadDatabase(MemoryOutputLog):
    """Is away now and then, before it has done what it was asked or after."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def _sometimes_away(self) -> None:
        if self._chance.random() < 0.1:
            raise LogUnavailable("away")

    def append(self, chunks: Sequence[Chunk]) -> None:
        self._sometimes_away()
        super().append(chunks)
        self._sometimes_away()

    def finish(self, end: End, chunks: Sequence[Chunk] = ()) -> End:
        self._sometimes_away()
        stored = super().finish(end, chunks)
        self._sometimes_away()
        return stored

    def read(self, execution_id: str, after: int) -> list[Chunk]:
        self._sometimes_away()
        return super().read(execution_id, after)[: self._chance.randint(1, 5)]


arrivals = st.lists(
    st.lists(
        st.builds(
            Arrival,
            stream=st.sampled_from(Stream),
            data=st.one_of(
                st.binary(max_size=20), st.sampled_from([b"line\n", b"two\nlines\n", b"sec", b"ret!", b"\n"])
            ),
            time_us=st.just(1_600_000_000_000_000),
        ),
        max_size=5,
    ),
    max_size=12,
)


def collect(reader: Reader, into: list[Chunk | End]) -> None:
    into.extend(item for item in reader.follow() if item is not None)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=arrivals, seed=st.integers(0, 2**32))
def test_fifty_readers_joining_at_any_time(batches: list[list[Arrival]], seed: int) -> None:
    chance = random.Random(seed)
    execution, log, broker = new_execution(), BadDatabase(chance), BadBroker(chance)
    bells = BellTower(broker)
    joining = sorted(chance.randint(0, len(batches)) for _ in range(READERS))
    got: list[tuple[Stream | None, list[Chunk | End]]] = []
    threads: list[threading.Thread] = []

    def join_due(step: int) -> None:
        while joining and joining[0] <= step:
            joining.pop(0)
            stream = chance.choice([None, *Stream])
            items: list[Chunk | End] = []
            got.append((stream, items))
            threads.append(threading.Thread(target=collect, args=(Reader(log, bells, execution, stream), items)))
            threads[-1].start()

    writer = Writer(log, Doorbell(broker), execution, 1, Position(), Secrets())
    for step, batch in enumerate(batches):
        join_due(step)
        writer.write(batch)
        if chance.random() < 0.3:
            writer.flush()
    join_due(len(batches))
    end = writer.finish("succeeded", 0)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    broker.close()

    written = [arrival for batch in batches for arrival in batch]
    for stream, items in got:
        *chunks, last = items
        assert last == end
        assert all(isinstance(chunk, Chunk) for chunk in chunks)
        for one in Stream if stream is None else [stream]:
            expected = b"".join(arrival.data for arrival in written if arrival.stream is one)
            assert contents([c for c in chunks if isinstance(c, Chunk)], one) == expected
            assert end.total(one).bytes == len(expected)
            assert end.total(one).lines == expected.count(b"\n") + (not expected.endswith(b"\n") and bool(expected))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=arrivals, crashes=st.sets(st.integers(0, 12)), secret=st.sampled_from([[], ["secret!"], ["two\nlines"]]))
def test_a_writer_that_crashes_goes_on_where_the_log_stands(
    batches: list[list[Arrival]], crashes: set[int], secret: list[str]
) -> None:
    """A restarted writer reads its source from the beginning; nothing comes twice, nothing is missing or unmasked."""
    execution, log, broker = new_execution(), MemoryOutputLog(), MemoryTransport()
    reference, other = new_execution(), MemoryOutputLog()

    def writer(log: MemoryOutputLog, execution: str) -> Writer:
        return Writer(log, Doorbell(broker), execution, 1, log.resume(execution, 1), Secrets(secret))

    writing, whole = writer(log, execution), writer(other, reference)
    for step, batch in enumerate(batches):
        writing.write(batch)
        if step in crashes:
            writing = writer(log, execution)
            for earlier in batches[: step + 1]:
                writing.write(earlier)
        whole.write(batch)
    end, expected = writing.finish("succeeded", 0), whole.finish("succeeded", 0)
    broker.close()
    for stream in Stream:
        assert contents(everything(log, execution), stream) == contents(everything(other, reference), stream)
    assert (end.stdout.bytes, end.stdout.lines, end.stderr.bytes, end.stderr.lines, end.masked) == (
        expected.stdout.bytes,
        expected.stdout.lines,
        expected.stderr.bytes,
        expected.stderr.lines,
        expected.masked,
    )


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=arrivals, limit=st.integers(0, 60), crashes=st.sets(st.integers(0, 12)), flushes=st.sets(st.integers(0, 12))
)
def test_output_that_is_cut_ends_with_one_mark_whoever_crashes(
    batches: list[list[Arrival]], limit: int, crashes: set[int], flushes: set[int]
) -> None:
    execution, log, broker = new_execution(), MemoryOutputLog(), MemoryTransport()
    kept, cut = _limited(batches, limit)

    def writer() -> Writer:
        return Writer(log, Doorbell(broker), execution, 1, log.resume(execution, 1), Secrets(["secret!"]))

    writing = writer()
    for step, batch in enumerate(kept):
        writing.write(batch)
        if step in flushes:
            writing.flush()
        if step in crashes:
            writing = writer()
            for earlier in kept[: step + 1]:
                writing.write(earlier)
    end = writing.finish("succeeded", 0, 17)
    broker.close()
    assert end.truncated_bytes == 17
    for stream in Stream:
        text = b"".join(one.data for batch in kept for one in batch if one.stream is stream and not one.cut)
        got = contents(everything(log, execution), stream)
        assert end.total(stream).bytes == len(got)
        if stream in cut:
            assert got.endswith(_MARK)
            got = got.removesuffix(_MARK)
            # The mark has a line of its own; the beginning of a secret before it, encoded or not, is masked.
            beginnings = [
                needle[:length] for needle in Secrets(["secret!"]).needles for length in range(1, len(needle))
            ]
            held = max((len(beginning) for beginning in beginnings if text.endswith(beginning)), default=0)
            text = text[: len(text) - held].replace(b"secret!", MASK) + (MASK if held else b"")
            assert got == (text if text.endswith(b"\n") or not text else text + b"\n")
        else:
            assert got == text.replace(b"secret!", MASK)


_MARK = b"--- the rest of what is a secret! is not kept ---\n"


def _limited(batches: list[list[Arrival]], room: int) -> tuple[list[list[Arrival]], set[Stream]]:
    """As a keeper keeps it: the first ``room`` bytes, then a mark for each stream that had more."""
    kept, cut = [], set()
    for batch in batches:
        kept.append([])
        for one in batch:
            if data := one.data[:room]:
                kept[-1].append(Arrival(one.stream, data, one.time_us))
            if len(one.data) > room and one.stream not in cut:
                kept[-1].append(Arrival(one.stream, _MARK, one.time_us, cut=True))
                cut.add(one.stream)
            room -= len(data)
    return kept, cut


def test_a_fenced_writer_stops() -> None:
    execution, log, broker = new_execution(), MemoryOutputLog(), MemoryTransport()
    first = Writer(log, Doorbell(broker), execution, 1, Position(), Secrets())
    first.write([Arrival(Stream.STDOUT, b"one\n", 1)])
    second = Writer(log, Doorbell(broker), execution, 2, log.take_over(execution, 2), Secrets())
    with pytest.raises(Fenced):
        first.write([Arrival(Stream.STDOUT, b"late\n", 2)])
    second.write([Arrival(Stream.STDOUT, b"two\n", 3)])
    with pytest.raises(Fenced):
        first.finish("succeeded", 0)
    second.finish("succeeded", 0)
    broker.close()
    assert contents(everything(log, execution)) == b"one\ntwo\n"


def test_an_execution_that_is_over_without_a_log_ends_its_reader() -> None:
    broker = MemoryTransport()
    reader = Reader(MemoryOutputLog(), BellTower(broker), new_execution(), final_status=lambda _: "canceled")
    [end] = reader.follow()
    broker.close()
    assert isinstance(end, End)
    assert end.status == "canceled"
