"""Watchers of one execution's output, many in one process: ``python -m bench.watchers PORT EXECUTION COUNT ...``.

They count what arrives and parse next to nothing, so that they leave the machine to the platform. Says ``ready`` when
all are connected and have the action's first line; when all streams have ended, prints a JSON list, one for each:
``{"lines", "first", "last", "ended", "latencies_ms"}``, times as of ``time.time()``.
"""

from __future__ import annotations

import argparse
import json
import re
import selectors
import socket
import time

_RECEIVE_BYTES = 256 * 1024
# HTTP/1.0: the body comes without HTTP's chunk headers, so that a line end is never cut in two by one.
_REQUEST = "GET /v1/executions/{execution}/output HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
# Without its end: an unbuffered python writes that by itself, and it may come in a document of its own.
_TICK = re.compile(rb"tick (\d{19})")
# In JSON a newline is these two bytes.
_NEWLINE = b"\\n"


class Watcher:
    def __init__(self, port: int, execution: str, with_times: bool) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(_REQUEST.format(execution=execution).encode())
        self.socket.setblocking(False)
        self._with_times = with_times
        self._rest = b""
        self.lines = 0
        self.latencies_ms: list[float] = []
        self.first = self.last = 0.0
        self.ended = False
        self.gone = False
        self._answered = False

    def receive(self) -> None:
        data = self.socket.recv(_RECEIVE_BYTES)
        now = time.time_ns()
        if not data:
            self.gone = True
            return
        if not self._answered and b" 200 " not in data[:20]:
            raise RuntimeError(f"the stream service answers {data[:200]!r}")
        self._answered = True
        data = self._rest + data
        # What follows the last complete line of the event stream waits for more, without its newlines being counted.
        cut = data.rfind(b"\n") + 1
        data, self._rest = data[:cut], data[cut:]
        found = data.count(_NEWLINE)
        if found:
            self.lines += found
            self.last = now / 1e9
            self.first = self.first or self.last
            if self._with_times:
                self.latencies_ms += [(now - int(tick)) / 1e6 for tick in _TICK.findall(data)]
        self.ended = self.ended or b"event: EOF" in data

    def result(self) -> dict[str, object]:
        return {
            "lines": self.lines,
            "first": self.first,
            "last": self.last,
            "ended": self.ended,
            "latencies_ms": self.latencies_ms,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("execution")
    parser.add_argument("count", type=int)
    parser.add_argument("--latency", action="store_true", help="lines hold the time at which they were printed")
    parser.add_argument("--stagger", type=float, default=0.0, help="seconds between two that join")
    given = parser.parse_args()
    watchers: list[Watcher] = []
    selector = selectors.DefaultSelector()
    open_streams = 0
    next_join = time.monotonic()
    said_ready = False
    while open_streams or len(watchers) < given.count:
        while len(watchers) < given.count and time.monotonic() >= next_join:
            watcher = Watcher(given.port, given.execution, given.latency)
            watchers.append(watcher)
            selector.register(watcher.socket, selectors.EVENT_READ, watcher)
            open_streams += 1
            next_join += given.stagger
        wait = max(0.0, next_join - time.monotonic()) if len(watchers) < given.count else None
        for key, _ in selector.select(wait):
            key.data.receive()
            if key.data.gone:
                selector.unregister(key.fileobj)
                key.data.socket.close()
                open_streams -= 1
        if not said_ready and len(watchers) == given.count and all(watcher.lines for watcher in watchers):
            said_ready = True
            print("ready", flush=True)
    print(json.dumps([watcher.result() for watcher in watchers]))


if __name__ == "__main__":
    main()
