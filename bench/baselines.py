"""What the machine does without the platform: the floor of each row, measured in the same run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import amqp
from bson import Binary, ObjectId

from bench.platform import Platform

LINE_BYTES = 80
_CHUNK_BYTES = 64 * 1024
# Chunks in one insert_many: what a writer that is behind stores at once.
_BATCH = 16
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
        while block := child.stdout.read(_CHUNK_BYTES):
            lines += block.count(b"\n")
    assert lines == count
    return count / (time.perf_counter() - start)


def inserted_lines_per_second(platform: Platform, count: int) -> float:
    """Store the same number of lines as chunks with ``insert_many``, two indexes as the output log has them."""
    execution_id = str(ObjectId())
    chunks = max(1, count * LINE_BYTES // _CHUNK_BYTES)
    data = Binary(b"x" * (min(count * LINE_BYTES, _CHUNK_BYTES)))
    with platform.database() as database:
        collection = database["bench_chunks"]
        collection.create_index([("execution_id", 1), ("seq", 1)], unique=True)
        collection.create_index([("execution_id", 1), ("stream_seq", 1)], unique=True)
        documents = [
            {"execution_id": execution_id, "seq": seq, "stream_seq": seq, "data": data} for seq in range(1, chunks + 1)
        ]
        start = time.perf_counter()
        for first in range(0, chunks, _BATCH):
            collection.insert_many(documents[first : first + _BATCH])
        took = time.perf_counter() - start
        collection.drop()
    return count / took


def insert_ms(platform: Platform, count: int = 200, interval: float = 0.0) -> list[float]:
    """The time of each of ``count`` inserts of one line, ``interval`` seconds apart."""
    times = []
    with platform.database() as database:
        collection = database["bench_lines"]
        collection.create_index([("execution_id", 1), ("seq", 1)], unique=True)
        for seq in range(count):
            document = {"execution_id": "bench", "seq": seq, "data": Binary(b"x" * LINE_BYTES)}
            start = time.perf_counter()
            collection.insert_one(document)
            times.append((time.perf_counter() - start) * 1000)
            time.sleep(interval)
        collection.drop()
    return times


def publish_ms(platform: Platform, count: int = 200, interval: float = 0.0) -> list[float]:
    """From publishing a small transient message to having it, one at a time."""
    times = []
    with amqp.Connection(platform.broker.url.removeprefix("amqp://guest:guest@").rstrip("/")) as connection:
        channel = connection.channel()
        queue = channel.queue_declare(exclusive=True).queue
        arrived: list[float] = []
        channel.basic_consume(queue, no_ack=True, callback=lambda _: arrived.append(time.perf_counter()))
        for _ in range(count):
            start = time.perf_counter()
            channel.basic_publish(amqp.Message(b"x" * 400), routing_key=queue)
            while not arrived:
                connection.drain_events(timeout=10)
            times.append((arrived.pop() - start) * 1000)
            time.sleep(interval)
    return times


def published_per_second(platform: Platform, confirm: bool, count: int = 2000) -> float:
    """Publish persistent messages to a durable queue; with ``confirm`` each waits for the broker's answer."""
    address = platform.broker.url.removeprefix("amqp://guest:guest@").rstrip("/")
    with amqp.Connection(address, confirm_publish=confirm) as connection:
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
