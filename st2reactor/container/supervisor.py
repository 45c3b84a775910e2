"""Keeps one sensor running: starts its process, keeps its log, and starts it again when it crashes."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import PyMongoError

from st2common.errors import Fenced, ValidationError
from st2common.models.connection import Document
from st2common.models.sensor_runs import SensorRuns, Status
from st2common.output.doorbell import Doorbell
from st2common.output.log import OutputLog
from st2common.retry import until_done
from st2common.runners.python_environment import NoVirtualenv
from st2reactor.container.calls import CallServer, Dispatch
from st2reactor.container.child import Child, Launch
from st2reactor.container.launcher import Launcher
from st2reactor.container.output import Output

LOG = logging.getLogger(__name__)

# A sensor that crashes is started again this often, later each time (seconds, times the number of its crashes). One
# that has lived for a while begins to count anew.
MAX_RESTARTS = 2
RESTART_DELAY = 2.5
HEALTHY_AFTER = 10.0

# Seconds that a sensor has for its cleanup before it is killed.
GRACE = 5.0

# Runs of a sensor whose logs are kept; see MAX_LOG in :mod:`.output`.
KEPT_RUNS = 20


@dataclass(frozen=True)
class Workshop:
    """What all supervisors of a container work with."""

    node: str
    host: str
    runs: SensorRuns
    log: OutputLog
    doorbell: Doorbell
    launcher: Launcher
    dispatch: Dispatch
    #: (sensor, child): its process is there.
    spawned: Callable[[Mapping[str, Any], Child], None]
    #: (sensor, exit code): it is gone.
    exited: Callable[[Mapping[str, Any], int], None]


class Supervisor:
    """One sensor, in a thread of its own."""

    def __init__(
        self,
        workshop: Workshop,
        sensor: Mapping[str, Any],
        triggers: Iterable[Document],
        on_over: Callable[[], None],
        max_restarts: int = MAX_RESTARTS,
    ) -> None:
        """``on_over`` is called when the sensor will not be started again."""
        self._workshop = workshop
        self._max_restarts = max_restarts
        self.sensor = sensor
        self.reference: str = sensor["ref"]
        self._on_over = on_over
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._launch: Launch | None = None
        self._triggers = {trigger["id"]: trigger for trigger in triggers}
        self._renew_at = 0.0
        self._thread = threading.Thread(target=self._keep, name=f"sensor-{self.reference}", daemon=True)
        #: The exit code of the last process; None: none has ended yet, or none could be started.
        self.exit_code: int | None = None

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Returns at once; :meth:`join` waits."""
        self._stopping.set()
        with self._lock:
            if self._child:
                self._child.ask_to_end()

    def join(self, timeout: float) -> None:
        """Wait for the end, and make it one after ``timeout`` seconds."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            self.kill()
            self._thread.join(1.0)

    def kill(self) -> None:
        self._stopping.set()
        with self._lock:
            if self._child:
                LOG.warning("Sensor %s does not end and is killed", self.reference)
                self._child.kill()

    def set_triggers(self, triggers: Iterable[Document]) -> None:
        """These are the triggers of its types now; the sensor is told what is new to it."""
        now = {trigger["id"]: trigger for trigger in triggers}
        with self._lock:
            before, self._triggers = self._triggers, now
            child = self._child
        if child is None or before == now:
            return
        for identity in before.keys() - now.keys():
            child.tell("remove_trigger", before[identity])
        for identity, trigger in now.items():
            if trigger != before.get(identity):
                child.tell("update_trigger" if identity in before else "add_trigger", trigger)

    def renew_token(self) -> None:
        """To be called every now and then while the sensor may run.

        Raises:
            PyMongoError: the database does not answer; there is time for the next call.
        """
        launch = self._launch
        if launch and launch.token and time.monotonic() >= self._renew_at:
            self._workshop.launcher.renew(launch.token)
            self._renew_at = time.monotonic() + self._workshop.launcher.token_life / 3

    # What the sensor's own thread does.

    def _keep(self) -> None:
        try:
            failures = 0
            while not self._stopping.is_set():
                failures = self._run(failures)
                if not 0 < failures <= self._max_restarts:
                    break
                self._stopping.wait(RESTART_DELAY * failures)
        except Exception:
            LOG.exception("Keeping sensor %s failed", self.reference)
        finally:
            self._on_over()

    def _run(self, failures: int) -> int:
        """One process from its start to its end; how many in a row have crashed, 0 where it is not to run again."""
        shop = self._workshop
        started_at = time.monotonic()
        child: Child | None = None
        problem: str | None = None
        try:
            child = self._spawn()
        except (NoVirtualenv, ValidationError, OSError, ValueError) as error:
            problem = str(error)
        run = _Run(shop, self.reference, child.pid if child else None, failures)
        output = Output(shop.log, shop.doorbell, run.id, list(self._launch.secrets) if self._launch else [])
        code, fenced = None, False
        if child is not None:
            code, told, fenced = self._follow(child, output, run)
            problem = told or _explained(code)
            self.exit_code = code
        elif problem:
            until_done(f"Sensor {self.reference}", lambda: output.say(f"The sensor cannot be started: {problem}"))
        stopped = self._stopping.is_set()
        if time.monotonic() - started_at >= HEALTHY_AFTER:
            failures = 0
        # One that has sent garbage may have ended by itself, and well, before it was killed for it.
        crashed = problem is not None and not stopped
        failures = failures + 1 if crashed else 0
        status = self._status(stopped, failures)
        if not fenced:
            output.finish(str(status), code)
        run.end(status, code, problem if crashed else None, failures)
        level = logging.ERROR if status is Status.FAILED else logging.INFO
        LOG.log(level, "Sensor %s is %s%s", self.reference, status, f": {problem}" if crashed else "")
        return failures

    def _status(self, stopped: bool, failures: int) -> Status:
        if stopped:
            return Status.STOPPED
        if not failures:
            return Status.FINISHED
        return Status.RESTARTING if failures <= self._max_restarts else Status.FAILED

    def _spawn(self) -> Child:
        shop = self._workshop
        with self._lock:
            triggers = list(self._triggers.values())
            self._launch = until_done(f"Sensor {self.reference}", lambda: shop.launcher.launch(self.sensor, triggers))
            self._renew_at = time.monotonic() + shop.launcher.token_life / 3
            self._child = child = Child(self._launch)
        if self._stopping.is_set():
            child.ask_to_end()
        return child

    def _follow(self, child: Child, output: Output, run: _Run) -> tuple[int, str | None, bool]:
        """The child to its end: its exit code, what it says why it failed, and whether its log is another's now."""
        shop = self._workshop
        LOG.info("Sensor %s runs as process %d", self.reference, child.pid)
        shop.spawned(self.sensor, child)
        calls = CallServer(self.reference, child, shop.dispatch)
        answering = threading.Thread(target=calls.serve, daemon=True)
        answering.start()
        ended: list[int] = []
        # When it ends, so does what it has started: somebody else could hold its pipes open for ever.
        waiting = threading.Thread(target=lambda: ended.append(child.wait()), daemon=True)
        waiting.start()
        fenced = False
        try:
            output.run(child, run.go_on)
        except Fenced:
            LOG.error("Another container has taken over the log of sensor %s: ending ours", self.reference)
            self._stopping.set()
            child.kill()
            fenced = True
        waiting.join()
        answering.join(GRACE)
        with self._lock:
            self._child = None
        child.close()
        self._forget_token()
        shop.exited(self.sensor, ended[0])
        return ended[0], calls.error, fenced

    def _forget_token(self) -> None:
        token = self._launch.token if self._launch else None
        if token:
            try:
                self._workshop.launcher.revoke(token)
            except PyMongoError as error:
                LOG.warning("The token of sensor %s ends by itself, the database is away: %s", self.reference, error)
        self._launch = None


# Documents of old logs that are removed at once.
_PIECE = 10_000


class _Run:
    """The stored run of a process, and those after it when its log becomes long."""

    def __init__(self, shop: Workshop, reference: str, pid: int | None, failures: int) -> None:
        self._shop = shop
        self._reference = reference
        self._pid = pid
        self._failures = failures
        self.id = self._begin()

    def go_on(self) -> str:
        """End the run because its log is full; the id of the next one."""
        self.end(Status.CONTINUED, None, None, self._failures)
        self.id = self._begin()
        return self.id

    def end(self, status: Status, code: int | None, problem: str | None, failures: int) -> None:
        self._until_done(lambda: self._shop.runs.end(self.id, status, code, problem, failures))

    def _begin(self) -> str:
        shop = self._shop
        begun: str = self._until_done(
            lambda: shop.runs.begin(self._reference, shop.node, shop.host, self._pid, self._failures)
        )
        self._until_done(self._forget_old)
        return begun

    def _forget_old(self) -> None:
        old = [str(run["_id"]) for run in self._shop.runs.of(self._reference)[KEPT_RUNS:] if run["ended_at"]]
        if old:
            while self._shop.log.delete(old, _PIECE) == _PIECE:
                pass
            self._shop.runs.delete(old)

    def _until_done(self, step: Callable[[], Any]) -> Any:
        return until_done(f"Sensor {self._reference}", step)


def _explained(code: int) -> str | None:
    if code >= 0:
        return f"It ended with exit code {code}." if code else None
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"It was ended by {name}."
