"""A thread that owns one connection to RabbitMQ: connects, reconnects for ever, reads, and runs others' commands.

py-amqp connections must not be used by two threads or greenlets at once. So everything that touches one, be it an
acknowledgement or a new binding, is a command that its thread runs, woken through a socket pair; or that the caller
runs itself while the thread only waits for the broker.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import random
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from st2common.transport.amqp_session import BROKER_ERRORS, CONNECT_TIMEOUT, Broker, Session

LOG = logging.getLogger(__name__)

Command = Callable[[Session], None]

# Seconds between two attempts to connect: doubled from the first to the last, each with jitter of up to one half.
FIRST_RETRY = 0.2
LAST_RETRY = 2.0

# Seconds that stopping waits for the thread, which may be connecting.
STOP_TIMEOUT = 10.0


class _Task:
    """A command on its way to the thread; ``done`` tells whether it was carried out."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self.done: Future[bool] = Future()

    def run(self, session: Session) -> None:
        try:
            self._command(session)
        except BaseException:
            self.done.set_result(False)
            raise
        self.done.set_result(True)

    def drop(self) -> None:
        self.done.set_result(False)


class Link:
    def __init__(
        self,
        name: str,
        brokers: Sequence[Broker],
        on_connect: Command,
        on_disconnect: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        """``on_connect`` runs in the thread before any command; when it fails the connection is given up and retried.

        ``on_disconnect`` gets the reason, also of every failed attempt. ``brokers`` are tried in turn.
        """
        self._name = name
        self._brokers = itertools.cycle(brokers)
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self._lock = threading.Lock()
        # Who holds it uses the connection: the thread, but for the time in which it waits.
        self._using = threading.Lock()
        self._tasks: deque[_Task] = deque()
        # Takes commands as soon as it is set; they run once it is ready, after on_connect.
        self._session: Session | None = None
        self._ready = False
        self._failures = 0
        self._settled = threading.Event()
        self._stopping = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"amqp-{name}", daemon=True)
        self._thread.start()

    def connected(self) -> bool:
        return self._ready

    def wait_connected(self, timeout: float) -> bool:
        """Wait until the first attempt to connect has succeeded or failed; whether there is a connection."""
        self._settled.wait(timeout)
        return self.connected()

    def submit(self, command: Command, session: Session | None = None) -> Future[bool] | None:
        """Have the thread run ``command`` soon; the future is False when the connection was lost before.

        None without a connection, or when ``session`` is not the current one.
        """
        task = _Task(command)
        with self._lock:
            if self._session is None or (session is not None and session is not self._session):
                return None
            self._tasks.append(task)
        self._wake()
        return task.done

    def run_now(self, command: Callable[[Session], bool]) -> bool:
        """Run ``command``, which only sends, in the calling thread; what it returns. False where the connection is in
        use, or there is none.

        Raises no error: a connection on which it fails is given up, as if the link's thread had run it.
        """
        if not self._using.acquire(blocking=False):
            return False
        try:
            session = self._session
            if session is None or not self._ready or self._tasks:
                return False
            with self._whole(session):
                done = command(session)
                # Somebody else's message may have had its exchange declared: see what came along with the answer.
                if session.has_buffered():
                    self._wake()
                return done
        finally:
            self._using.release()
        return True

    @contextlib.contextmanager
    def _whole(self, session: Session) -> Iterator[None]:
        """Give up the connection where something ends amid a frame; also where it is the caller that is ended there."""
        try:
            yield
        except BaseException as error:
            self.submit(functools.partial(_fail, error), session)
            if not isinstance(error, Exception):
                raise

    def call(self, command: Command) -> bool:
        """Have the thread run ``command`` and wait for it; False without a connection, or when it is lost meanwhile."""
        self.wait_connected(CONNECT_TIMEOUT)
        done = self.submit(command)
        # The thread gives up a request to the broker by itself, so this wait ends.
        return done is not None and done.result()

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Run what was submitted before, then close the connection and end the thread."""
        self._stopping.set()
        self._wake()
        self._thread.join(timeout)
        if self._thread.is_alive():
            LOG.error("The connection %s does not end", self._name)

    def _wake(self) -> None:
        # A full socket buffer means that the thread is being woken already; a closed one, that it has ended.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_writer.send(b"\0")

    def _run(self) -> None:
        while not self._stopping.is_set():
            broker = next(self._brokers)
            try:
                self._serve(broker)
            except BROKER_ERRORS as error:
                self._lost(broker, error)
            except Exception as error:
                # py-amqp lets a lost connection show as almost anything (AttributeError, struct.error ...).
                LOG.debug("Unexpected failure of the connection %s", self._name, exc_info=True)
                self._lost(broker, error)
        self._on_disconnect("the transport is closed")
        self._settled.set()
        self._wake_reader.close()
        self._wake_writer.close()

    def _serve(self, broker: Broker) -> None:
        """Connect, and work until told to stop."""
        session = broker.open()
        self._using.acquire()
        try:
            with self._lock:
                self._session = session
            self._on_connect(session)
            self._ready = True
            if self._failures:
                LOG.info("The connection %s to %s is back", self._name, broker)
            self._failures = 0
            self._settled.set()
            self._work(session)
        finally:
            self._ready = False
            with self._lock:
                self._session = None
                dropped = list(self._tasks)
                self._tasks.clear()
            for task in dropped:
                task.drop()
            session.close()
            self._using.release()

    def _work(self, session: Session) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(session.socket, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while True:
                stopping = self._stopping.is_set()  # looked at first: what was submitted before stop() is still run
                self._run_tasks(session)
                if stopping:
                    return
                session.tick()
                ready = self._wait(selector, session)
                if self._wake_reader in ready:
                    self._wake_reader.recv(4096)
                if session.socket in ready or session.has_buffered():
                    session.read()

    def _wait(self, selector: selectors.BaseSelector, session: Session) -> set[Any]:
        """Until something is to be read; others may send meanwhile."""
        # A request's answer may have brought other frames along, which the socket no longer shows.
        timeout = 0 if session.has_buffered() else session.tick_interval
        self._using.release()
        try:
            return {key.fileobj for key, _ in selector.select(timeout)}
        finally:
            self._using.acquire()

    def _run_tasks(self, session: Session) -> None:
        while True:
            with self._lock:
                if not self._tasks:
                    return
                task = self._tasks.popleft()
            task.run(session)

    def _lost(self, broker: Broker, error: Exception) -> None:
        self._failures += 1
        # The first failure of an outage is news, the others are not.
        level = logging.WARNING if self._failures == 1 else logging.DEBUG
        reason = f"no connection to {broker}: {error or type(error).__name__}"
        LOG.log(level, "The connection %s is down, will retry until it is back: %s", self._name, reason)
        self._on_disconnect(reason)
        self._settled.set()
        delay = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))
        self._stopping.wait(delay * random.uniform(0.5, 1))  # noqa: S311 - jitter is no secret


def _fail(reason: BaseException, _session: Session) -> None:
    raise ConnectionError(str(reason) or type(reason).__name__)
