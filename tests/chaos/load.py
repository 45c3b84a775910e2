"""Clients that use a platform while it is disturbed, and remember what they were promised."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from st2cli.client import Client
from st2cli.errors import ApiError, CommandError, Unreachable
from st2cli.settings import Settings
from st2cli.tail import Request, Tail
from st2cli.views import Output, Step
from tests.acceptance.platforms import Platform
from tests.conditions import eventually
from tests.flows import NOTES

# Clients at once: they, the daemons and the actions share the cores of one machine.
_ACTIONS = 6
_EVENTS = 1
_WORKFLOWS = 1

# Seconds within which everything has ended after the last disturbance: a message that was lost is sent again after 60.
_PATIENCE = 180.0

_ENDED = frozenset({"succeeded", "failed", "timeout", "canceled", "abandoned"})

_RULE = {
    "pack": "default",
    "name": "chaos",
    "enabled": True,
    "trigger": {"type": "core.st2.webhook", "parameters": {"url": "chaos"}},
}


class Received:
    """What a watcher has got, by stream."""

    def __init__(self) -> None:
        self.data = {"stdout": b"", "stderr": b""}

    def show(self, output: Output) -> None:
        self.data[output.origin.kind] += output.data

    def step(self, step: Step) -> None: ...

    def flush(self) -> None: ...

    def interrupt(self) -> None: ...

    def end(self, ending: dict[str, Any] | None) -> None: ...


@dataclass(frozen=True)
class Run:
    """An execution that was accepted, and watched to its end."""

    execution_id: str
    wanted: dict[str, bytes]
    seen: dict[str, bytes]
    status: str | None


class Load:
    def __init__(self, platform: Platform, directory: Path, chance: random.Random) -> None:
        """``directory``: where actions note that they ran."""
        urls = platform.urls
        self._settings = Settings(urls["ST2_API_URL"], urls["ST2_STREAM_URL"], urls["ST2_AUTH_URL"])
        self._directory = directory
        self._ran, self._acted = directory / "ran", directory / "acted"
        self._over = threading.Event()
        self.runs: list[Run] = []
        self.workflows: list[str] = []
        self._events: list[str] = []
        self._problems: list[BaseException] = []
        kinds: list[tuple[Callable[[Client, random.Random, str], None], int]] = [
            (self._act, _ACTIONS),
            (self._send_event, _EVENTS),
            (self._flow, _WORKFLOWS),
        ]
        self._threads = [
            threading.Thread(target=self._repeat, args=(what, random.Random(chance.random()), f"{what.__name__}{n}"))
            for what, count in kinds
            for n in range(count)
        ]

    def start(self) -> None:
        note = f"echo {{{{ trigger.body.number }}}} >> {self._acted}"
        rule = {**_RULE, "action": {"ref": "core.local", "parameters": {"cmd": note}}}
        with closing(Client(self._settings)) as client:
            client.post("/rules", rule)
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """No more requests; returns when all that was asked for has ended."""
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE)
        if self._problems:
            raise self._problems[0]
        assert not [thread.name for thread in self._threads if thread.is_alive()]

    def check(self) -> None:
        """What was promised has come true, once."""
        with closing(Client(self._settings)) as client:
            self._check(client)

    def _check(self, client: Client) -> None:
        for run in self.runs:
            assert run.status == "succeeded", run.execution_id
            assert run.seen == run.wanted, run.execution_id
            stored = {kind: client.get_text(f"/executions/{run.execution_id}/{kind}").encode() for kind in run.wanted}
            assert stored == run.wanted, run.execution_id
        eventually(lambda: self._unfinished(client) == [], _PATIENCE)
        ran = Counter(self._ran.read_text().split())
        assert set(ran.values()) == {1}, "an action ran twice"
        assert {run.execution_id for run in self.runs} <= ran.keys()
        eventually(lambda: set(self._events) <= set(self._acted.read_text().split()), _PATIENCE)
        assert set(Counter(self._acted.read_text().split()).values()) == {1}, "a rule acted twice"
        for workflow in self.workflows:
            assert sorted((self._directory / workflow).read_text().split("\n")[:-1]) == NOTES, workflow

    def _unfinished(self, client: Client) -> list[tuple[str, str]]:
        found = client.all("/executions", {"include_attributes": "status"})
        return [(each["id"], each["status"]) for each in found if each["status"] not in _ENDED]

    def _repeat(self, what: Callable[[Client, random.Random, str], None], chance: random.Random, name: str) -> None:
        """One client. What was refused, or not answered, is not promised: it may have been done all the same."""
        client = Client(self._settings)
        number = 0
        try:
            while not self._over.is_set():
                number += 1
                try:
                    what(client, chance, f"{name}.{number}")
                except Unreachable:
                    time.sleep(chance.uniform(0.0, 0.3))
                except ApiError as error:
                    if error.status < 500:
                        raise
                    time.sleep(chance.uniform(0.0, 0.3))
        except (CommandError, AssertionError, OSError) as error:
            error.add_note(f"{name}.{number}")
            self._problems.append(error)
        finally:
            client.close()

    def _act(self, client: Client, chance: random.Random, name: str) -> None:
        lines, pause = chance.randrange(1, 300), chance.choice((0, 0.001, 0.01, 0.03))
        command = (
            f"echo $ST2_ACTION_EXECUTION_ID >> {self._ran}; "
            f"for ((i = 1; i <= {lines}; i++)); do echo {name} out $i; echo {name} err $i >&2; sleep {pause}; done; "
            "printf last"
        )
        execution_id = client.post("/executions", {"action": "core.local", "parameters": {"cmd": command}})["id"]
        status, seen = self._watch(client, execution_id)
        out, err = (
            "".join(f"{name} {kind} {number}\n" for number in range(1, lines + 1)).encode() for kind in ("out", "err")
        )
        self.runs.append(Run(execution_id, {"stdout": out + b"last", "stderr": err}, seen, status))

    def _watch(self, client: Client, execution_id: str) -> tuple[str | None, dict[str, bytes]]:
        """Once the execution is accepted it has to be found and to end: nothing is forgiven here."""
        view = Received()
        while True:
            tail = Tail(client, Request(execution_id), view, lambda _: None)
            try:
                ending = tail.run()
            except (Unreachable, ApiError) as error:
                # The stream service is away, before the first connection; later ones are the tail's own affair.
                if tail.seq or (isinstance(error, ApiError) and error.status < 500):
                    raise AssertionError(f"execution {execution_id} is lost: {error}") from error
                time.sleep(0.1)
            else:
                return ending["status"] if ending else None, view.data

    def _send_event(self, client: Client, chance: random.Random, name: str) -> None:
        client.post("/webhooks/chaos", {"number": name})
        self._events.append(name)
        time.sleep(chance.uniform(0.1, 0.4))

    def _flow(self, client: Client, chance: random.Random, name: str) -> None:
        gate = self._directory / "gate"
        gate.touch()
        parameters = {"notes": str(self._directory / name), "gate": str(gate)}
        execution_id = client.post("/executions", {"action": "flows.outer", "parameters": parameters})["id"]
        status, _ = self._watch(client, execution_id)
        assert status == "succeeded", f"{name}: {execution_id} {status}"
        self.workflows.append(name)
