"""The HTTP engine: gevent's WSGI server, with an order for stopping that ends streams at once.

Every answer without a length is a stream. When the server stops, streams and idle connections are cut, while requests
that will end by themselves get the time that is left. A cut stream lacks HTTP's last chunk, so a client can tell a
stream that was cut from one that ended.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import gevent
from gevent import get_hub, getcurrent, monkey
from gevent import sleep as gevent_sleep
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from st2common.errors import ConfigError
from st2common.http.paths import Environ

LOG = logging.getLogger(__name__)

T = TypeVar("T")

# Connections beyond this wait in the listen queue: each costs a greenlet, watchers included.
MAX_CONNECTIONS = 4096
LISTEN_BACKLOG = 1024
# Seconds that a connection may be idle before and between requests, and that the headers of one may take.
IDLE_SECONDS = 75.0
HEAD_SECONDS = 30.0
# Seconds between two looks at what is still being answered while the server stops.
_DRAIN_STEP = 0.01

_POLL = monkey.get_original("select", "poll")


@dataclass(frozen=True)
class WebApplication:
    """What an HTTP daemon serves, says about its health, and closes at its end (which may take the given seconds)."""

    application: Any
    health: Callable[[], str | None]
    close: Callable[[float], None]
    #: Talk TLS; None: plain HTTP.
    tls: ssl.SSLContext | None = None


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """
    Raises:
        ConfigError: one of the two files cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"TLS with the certificate {certificate} and the key {key} is not possible: {error}"
        ) from error
    return context


def in_native_thread(work: Callable[[], T]) -> T:
    """Do what computes for long beside the other requests, not in their way."""
    if not monkey.is_module_patched("threading"):
        return work()
    # A greenlet that computes holds up all others; a thread of gevent's pool does not.
    return cast(T, get_hub().threadpool.apply(work))


class Requests:
    """WSGI wrapper that knows which greenlets are answering a request that will end by itself."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self.finite: set[Any] = set()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "HEAD":
            # No answer to HEAD has a body: none is a stream.
            headers_only: Iterable[bytes] = self._application(environ, start_response)
            return headers_only
        greenlet = getcurrent()
        self.finite.add(greenlet)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            write = start_response(status, headers, exc_info) if exc_info else start_response(status, headers)
            if not any(name.lower() == "content-length" for name, _ in headers):
                self.finite.discard(greenlet)
                # Sends the headers: whoever waits for a stream learns at once that it is there.
                write(b"")
            return write

        try:
            body: Iterable[bytes] = self._application(environ, start)
        except BaseException:
            self.finite.discard(greenlet)
            raise
        return _Body(body, self.finite, greenlet)


class _Body:
    """A response body that takes its greenlet off the books when the server closes it."""

    def __init__(self, body: Iterable[bytes], finite: set[Any], greenlet: Any) -> None:
        self._body = body
        self._finite = finite
        self._greenlet = greenlet

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        self._finite.discard(self._greenlet)
        if hasattr(self._body, "close"):
            self._body.close()


class _Handler(WSGIHandler):  # type: ignore[misc]
    """Lets streams ask whether somebody still listens: they would learn it at their next write only. And nobody keeps a
    connection for ever with a request that does not come."""

    def read_requestline(self) -> str:
        with gevent.Timeout(IDLE_SECONDS, False):
            line: str = super().read_requestline()
            return line
        return ""

    def read_request(self, raw_requestline: str) -> bool:
        with gevent.Timeout(HEAD_SECONDS, ValueError(f"the headers took longer than {HEAD_SECONDS:g} s")):
            return bool(super().read_request(raw_requestline))

    def get_environ(self) -> Environ:
        environ: Environ = super().get_environ()
        environ["st2.client_gone"] = lambda: _hung_up(self.socket)
        return environ

    def log_request(self) -> None:
        """The application logs its requests itself."""


def _hung_up(connection: socket.socket) -> bool:
    poll = _POLL()
    try:
        poll.register(connection.fileno(), select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    except ValueError:
        return True
    return bool(poll.poll(0))


class HttpServer:
    """Serves an application on an address or on a socket that listens already."""

    def __init__(self, listener: Any, application: Any, tls: ssl.SSLContext | None = None) -> None:
        self._requests = Requests(application)
        self._pool = Pool(MAX_CONNECTIONS)
        self._server = WSGIServer(
            listener,
            self._requests,
            # A socket that listens already has its backlog.
            backlog=LISTEN_BACKLOG if isinstance(listener, tuple) else None,
            spawn=self._pool,
            log=None,
            error_log=LOG,
            handler_class=_Handler,
            # Without a name the server would ask DNS for it when it starts.
            environ={"SERVER_NAME": "localhost"},
            **({"ssl_context": tls} if tls else {}),
        )

    def start(self) -> None:
        self._server.start()
        if self._server.socket.family in (socket.AF_INET, socket.AF_INET6):
            # Accepted connections have it from their listener: a line must not wait until the one before it is
            # acknowledged, which a client puts off.
            self._server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def stop(self, timeout: float) -> None:
        """Accept nothing more, cut streams and idle connections, wait ``timeout`` seconds for the other requests."""
        deadline = time.monotonic() + timeout
        self._server.close()
        while True:
            for greenlet in list(self._pool.greenlets):
                if greenlet not in self._requests.finite:
                    greenlet.kill(block=False)
            if not len(self._pool) or time.monotonic() > deadline:
                break
            gevent_sleep(_DRAIN_STEP)
        self._pool.kill(block=True, timeout=1)


class GeventServer:
    """A service that answers HTTP inside this process; the process must be patched by gevent."""

    def __init__(self, name: str, application: Any, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self._tls = tls
        self._address = (host.strip("[]"), port)
        self._application = application
        self._server: HttpServer | None = None

    @property
    def port(self) -> int:
        """The port that it listens on, which the system chose when 0 was asked for."""
        return self._server.port if self._server else self._address[1]

    def start(self) -> None:
        """
        Raises:
            ConfigError: the address is taken or not ours.
        """
        server = HttpServer(self._address, self._application, self._tls)
        try:
            server.start()
        except OSError as error:
            host, port = self._address
            raise ConfigError(f"{self.name} cannot listen on {host} port {port}: {error.strerror}") from error
        self._server = server
        LOG.info("%s listens on %s port %d", self.name, self._address[0], server.port)

    def stop(self, deadline: float) -> None:
        if self._server:
            self._server.stop(deadline)
            self._server = None

    def health(self) -> str | None:
        return None if self._server else "not listening"
