"""Messages as each release has sent them: this one reads its own form and the one before."""

from __future__ import annotations

import pytest

from st2common.output import doorbell
from st2common.output.chunk import Chunk, End, Run, Stream, StreamTotal
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import SCHEMA_VERSION, Body, Message
from st2common.transport.topology import EXECUTION_OUTPUT
from tests.conditions import eventually

EXECUTION = "65f0a1b2c3d4e5f601234567"

BELLS: dict[int, Body] = {
    1: {
        "v": 1,
        "execution_id": EXECUTION,
        "first": 3,
        "seq": 4,
        "chunks": [
            {
                "stream": "stderr",
                "stream_seq": 2,
                "seq": 3,
                "offset": 4,
                "data": "b25lCnR3bw==",
                "runs": [[4, 1700000000000000], [3, 1700000000000001]],
                "attempt": 1,
                "line": 1,
            }
        ],
        "end": {
            "seq": 4,
            "attempt": 1,
            "status": "succeeded",
            "exit_code": 0,
            "time_us": 1700000000000002,
            "stdout": [1, 4, 1],
            "stderr": [2, 11, 2],
            "truncated_bytes": 0,
            "masked": 0,
        },
    },
}

CHUNK = Chunk(
    EXECUTION,
    Stream.STDERR,
    stream_seq=2,
    seq=3,
    offset=4,
    data=b"one\ntwo",
    runs=(Run(4, 1700000000000000), Run(3, 1700000000000001)),
    attempt=1,
    line=1,
)
END = End(
    EXECUTION,
    seq=4,
    attempt=1,
    status="succeeded",
    exit_code=0,
    time_us=1700000000000002,
    stdout=StreamTotal(1, 4, 1),
    stderr=StreamTotal(2, 11, 2),
)


@pytest.mark.parametrize("version", BELLS)
def test_bells_are_read(version: int) -> None:
    bell = doorbell.parse(Message(EXECUTION_OUTPUT, EXECUTION, BELLS[version]))
    assert bell == doorbell.Bell(EXECUTION, first=3, seq=4, chunks=(CHUNK,), end=END)


def test_the_newest_form_is_what_is_sent(memory_transport: MemoryTransport) -> None:
    heard: list[Message] = []
    memory_transport.subscribe(heard.append, lambda: None).bind(EXECUTION_OUTPUT, "#")
    doorbell.Doorbell(memory_transport).ring(EXECUTION, [CHUNK], END)
    eventually(lambda: heard)
    assert max(BELLS) == SCHEMA_VERSION
    assert heard[0].body == BELLS[SCHEMA_VERSION]
