"""The stream service in a process of its own, as its daemon runs it; see :mod:`.service`.

Arguments: <database's uri> <database's name> <heartbeat> <poll interval> [<broker's url> <prefix>]. Each line of stdin
is a command: ``[exchange, key, body]`` is published on the in-process transport, ``"state"`` is answered on stdout.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from collections import Counter  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from gevent.fileobject import FileObject  # noqa: E402
from pymongo import monitoring  # noqa: E402

from st2common import config as configuration  # noqa: E402
from st2common.models import connection  # noqa: E402
from st2common.output import reader  # noqa: E402
from st2common.transport.amqp import AmqpTransport  # noqa: E402
from st2common.transport.memory import MemoryTransport  # noqa: E402
from st2stream import feeds  # noqa: E402
from st2stream.service import StreamService  # noqa: E402


class Reads(monitoring.CommandListener):
    """Counts what is read of each collection."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "find":
            self.of[event.command["find"]] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def memory(field: str) -> int:
    """Bytes that this process has in memory now (VmRSS), or had at most since the last :func:`forget` (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def state(reads: Reads, transport: Any) -> dict[str, Any]:
    seen = {"now": memory("VmRSS"), "most": memory("VmHWM")}
    Path("/proc/self/clear_refs").write_text("5")  # the maximum counts from here on
    return {
        "memory": seen,
        "reads": dict(reads.of),
        "feeds": [thread.name for thread in threading.enumerate() if thread.name.startswith("feed-")],
        "bindings": sorted(key for each in getattr(transport, "_subscriptions", ()) for _, key in each._exact),
    }


def main() -> None:
    uri, name, heartbeat, poll_interval, *broker = sys.argv[1:]
    reader.POLL_INTERVAL = feeds.POLL_INTERVAL = float(poll_interval)
    reads = Reads()
    monitoring.register(reads)
    config = configuration.load([], "st2stream")
    config.set_override("enable", False, "auth")
    config.set_override("port", 0, "stream")
    config.set_override("heartbeat", int(heartbeat), "stream")
    transport = AmqpTransport(broker[0], prefix=broker[1]) if broker else MemoryTransport()
    service = StreamService(config=config, database=connection.connect(uri, name), transport=transport)
    service.start()
    print(service.port, flush=True)
    for line in FileObject(sys.stdin.buffer, "rb"):
        command = json.loads(line)
        if command == "state":
            print(json.dumps(state(reads, transport)), flush=True)
        else:
            transport.notify(*command)
    service.stop(5)
    transport.close()


main()
