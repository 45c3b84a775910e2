"""What the machine does without the platform: the floor of each row, measured in the same run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp
from bson import Binary
from pymongo.collection import Collection

from bench.platform import Platform
from st2common.models.connection import DURABLE
from st2common.output import mongo_chunks
from st2common.output.chunk import MAX_CHUNK_BYTES

LINE_BYTES = 80
# Chunks in one insert_many: what a writer that is behind stores at once.
_BATCH = 16
# How often a single insert or message is timed.
_TIMES = 200
_ACTIONS = Path(__file__).parent / "packs" / "bench" / "actions"

_PYTHON_PRINTER = """
rest = "x" * 71
for line in range(1, {count} + 1):
    print(f"{{line:07d}} {{rest}}")
"""


def pipe_lines_per_second(kind: str, count: int) -> float:
    """Start a program that prints the same lines, and read its pipe to the end."""
    shell = [str(_ACTIONS / "shell_lines.sh"), str(count)]
    command = shell if kind == "shell" else [sys.executable, "-u", "-c", _PYTHON_PRINTER.format(count=count)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdout
        lines = 0
        while block := child.stdout.read(MAX_CHUNK_BYTES):
            lines += block.count(b"\n")
    assert lines == count
    return count / (time.perf_counter() - start)


def inserted_lines_per_second(platform: Platform, count: int) -> float:
    """Store the same number of lines with ``insert_many``, in chunks as the output log has them."""
    size = min(count * LINE_BYTES, MAX_CHUNK_BYTES)
    chunks = max(1, count * LINE_BYTES // MAX_CHUNK_BYTES)
    documents = [_chunk(seq, size) for seq in range(1, chunks + 1)]
    with _collection(platform) as collection:
        start = time.perf_counter()
        for first in range(0, chunks, _BATCH):
            collection.insert_many(documents[first : first + _BATCH])
        took = time.perf_counter() - start
    return count / took


def insert_ms(platform: Platform, interval: float = 0.0) -> list[float]:
    """The times of inserts of one line, ``interval`` seconds apart: an idle server is slower than a warm one."""
    times = []
    with _collection(platform) as collection:
        for seq in range(_TIMES):
            document = _chunk(seq, LINE_BYTES)
            start = time.perf_counter()
            collection.insert_one(document)
            times.append((time.perf_counter() - start) * 1000)
            time.sleep(interval)
    return times


@contextmanager
def _collection(platform: Platform) -> Iterator[Collection[dict[str, Any]]]:
    """An empty collection with the indexes and the durability of the output log."""
    with platform.database() as database:
        collection = database.get_collection("bench_chunks", write_concern=DURABLE)
        collection.create_indexes(mongo_chunks.INDEXES)
        try:
            yield collection
        finally:
            collection.drop()


def _chunk(seq: int, size: int) -> dict[str, Any]:
    return {
        "execution_id": "bench",
        "stream_seq": seq,
        "seq": seq,
        "offset": seq * size,
        "data": Binary(b"x" * size),
        "runs": [size, time.time_ns() // 1000],
        "attempt": 1,
        "line": seq,
        "source": seq * size,
        "covered": 0,
        "masked": 0,
        "unfinished": False,
    }


def publish_ms(platform: Platform, interval: float = 0.0) -> list[float]:
    """From publishing a small transient message to having it, one at a time, ``interval`` seconds apart."""
    times = []
    with amqp.Connection(_address(platform)) as connection:
        channel = connection.channel()
        queue = channel.queue_declare(exclusive=True).queue
        arrived: list[float] = []
        channel.basic_consume(queue, no_ack=True, callback=lambda _: arrived.append(time.perf_counter()))
        for _ in range(_TIMES):
            start = time.perf_counter()
            channel.basic_publish(amqp.Message(b"x" * 400), routing_key=queue)
            while not arrived:
                connection.drain_events(timeout=10)
            times.append((arrived.pop() - start) * 1000)
            time.sleep(interval)
    return times


def published_per_second(platform: Platform, confirm: bool, count: int = 2000) -> float:
    """Publish persistent messages to a durable queue; with ``confirm`` each waits for the broker's answer."""
    with amqp.Connection(_address(platform), confirm_publish=confirm) as connection:
        channel = connection.channel()
        channel.queue_declare("bench", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        start = time.perf_counter()
        for _ in range(count):
            channel.basic_publish(amqp.Message(b"x" * 60, delivery_mode=2), routing_key="bench")
        # Answered when everything before it was read, confirms or not.
        channel.queue_declare("bench", passive=True)
        took = time.perf_counter() - start
        channel.queue_delete("bench")
    return count / took


def _address(platform: Platform) -> str:
    return urlsplit(platform.broker.url).netloc.rpartition("@")[2]
