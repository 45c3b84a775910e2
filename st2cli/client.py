"""The platform's HTTP API as the commands use it: one kept-alive connection, and event streams on their own."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from st2cli import token_cache
from st2cli.errors import ApiError, CommandError, Unreachable
from st2cli.settings import Settings, basic_authorization

# Seconds without any answer. Submitting may wait for a broker that comes back.
_ANSWER_TIMEOUT = 60.0
_READ_SIZE = 256 * 1024
# The connection was closed by the server while it was idle: a reason to try again, not to fail.
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)

# Items of one page: what a service gives at once to users who are no administrators.
_PAGE = 100


class StreamBroken(Exception):
    """The connection of an event stream ended before the stream did."""


class EventStream:
    """An open ``text/event-stream`` response."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.headers = response.headers

    def read(self) -> bytes:
        """What has arrived, as soon as anything has; raises `StreamBroken` at the end, expected or not."""
        try:
            received = self._response.read1(_READ_SIZE)
        except TimeoutError as error:
            raise StreamBroken("no sign of life") from error
        except OSError as error:
            raise StreamBroken(error.strerror or str(error)) from error
        except (http.client.HTTPException, ValueError) as error:  # the chunked encoding stops in the middle
            raise StreamBroken("closed by the server") from error
        if not received:
            raise StreamBroken("closed by the server")
        return received

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class Client:
    """Requests to the API and the stream service; raises `ApiError`, `Unreachable`."""

    def __init__(self, settings: Settings, tell: Callable[[str], None] | None = None) -> None:
        """``tell`` is told each request and its answer in a line, without what is secret."""
        self.settings = settings
        self._tell = tell
        self._api = urlsplit(settings.api_url)
        self._connection: http.client.HTTPConnection | None = None
        self._renewed = False

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        return self._request("GET", path, query)[1]

    def find(self, path: str, query: Mapping[str, Any] | None = None) -> Any | None:
        """Like `get`, but None when there is no such thing."""
        try:
            return self.get(path, query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def page(self, path: str, query: Mapping[str, Any] | None = None) -> tuple[list[dict[str, Any]], int | None]:
        """One page of a list, and how many there are in all, if the service says so."""
        headers, documents = self._request("GET", path, query)
        total = headers.get("X-Total-Count", "")
        return documents, int(total) if total.isdecimal() else None

    def all(self, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """A whole list, in pages that everybody may ask for."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(path, {**(query or {}), "limit": _PAGE, "offset": len(found)})
            found += page
            if len(page) < _PAGE:
                return found

    def post(self, path: str, body: Any) -> Any:
        return self._request("POST", path, None, body)[1]

    def get_text(self, path: str) -> str:
        """What is not JSON but text."""
        return self._payload("GET", path, None, None, "")[2].decode("utf-8", "replace")

    def post_text(self, path: str, text: str) -> Any:
        _, url, payload = self._payload("POST", path, None, text.encode(), "text/plain")
        return _parse(payload, url)

    def put(self, path: str, body: Any) -> Any:
        return self._request("PUT", path, None, body)[1]

    def delete(self, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        return self._request("DELETE", path, query, body)[1]

    def log_in(self, user: str, password: str, ttl: int | None = None) -> dict[str, Any]:
        """A new token ``{user, token, expiry, ...}`` of the authentication service."""
        base = urlsplit(self.settings.auth_url)
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Authorization": basic_authorization(f"{user}:{password}"),
        }
        connection = self._connect(base, timeout=_ANSWER_TIMEOUT)
        url = f"{base.path}/tokens"
        try:
            with _reaching("authentication service", self.settings.auth_url, "--auth-url or ST2_AUTH_URL"):
                connection.request("POST", url, body=json.dumps({} if ttl is None else {"ttl": ttl}), headers=headers)
                response = connection.getresponse()
                payload = response.read()
        finally:
            connection.close()
        _raise_for_status(response, payload, self.settings.auth_url + "/tokens", hint="")
        token: dict[str, Any] = _parse(payload, self.settings.auth_url)
        return token

    @cached_property
    def _identity(self) -> Mapping[str, str]:
        """The headers that say who we are."""
        if self.settings.login is None or self.settings.remembered:
            return self.settings.headers
        return self._logged_in(*self.settings.login)

    def _logged_in(self, user: str, password: str) -> Mapping[str, str]:
        token = self.log_in(user, password)
        if self.settings.token_directory:
            token_cache.write(self.settings.token_directory, token)
        return {**self.settings.headers, "X-Auth-Token": token["token"]}

    def _renew(self) -> bool:
        """In place of a remembered token that is good no more, another one; False if there is no way to get it."""
        if self._renewed or not self.settings.remembered or self.settings.login is None:
            return False
        self._renewed = True
        self._identity = self._logged_in(*self.settings.login)
        return True

    def open_stream(
        self, path: str, query: Mapping[str, Any], *, last_event_id: str = "", silence: float
    ) -> EventStream:
        """An event stream of the stream service that counts as broken after ``silence`` seconds without a byte."""
        base = urlsplit(self.settings.stream_url)
        url = _url(base, path, query)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache", **self._identity}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        connection = self._connect(base, timeout=silence)
        try:
            with _reaching("stream service", self.settings.stream_url, "--stream-url or ST2_STREAM_URL"):
                connection.request("GET", url, headers=headers)
                response = connection.getresponse()
                self._trace("GET", self.settings.stream_url, url, response)
                if response.status == 401 and self._renew():
                    connection.close()
                    return self.open_stream(path, query, last_event_id=last_event_id, silence=silence)
                if response.status != 200:
                    _raise_for_status(response, response.read(), self.settings.stream_url + url)
        except BaseException:
            connection.close()
            raise
        return EventStream(connection, response)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> tuple[http.client.HTTPMessage, Any]:
        content = json.dumps(body).encode() if method in ("POST", "PUT") or body is not None else None
        headers, url, payload = self._payload(method, path, query, content, "application/json")
        return headers, _parse(payload, url) if payload else None

    def _payload(
        self, method: str, path: str, query: Mapping[str, Any] | None, content: bytes | None, content_type: str
    ) -> tuple[http.client.HTTPMessage, str, bytes]:
        """The headers of the answer, the address that was asked, and what it answered."""
        url = _url(self._api, path, query or {})
        response, payload = self._answer(method, url, content, content_type)
        if response.status == 401 and self._renew():
            response, payload = self._answer(method, url, content, content_type)
        full_url = f"{self._api.scheme}://{self._api.netloc}{url}"
        _raise_for_status(response, payload, full_url)
        return response.headers, full_url, payload

    def _answer(
        self, method: str, url: str, content: bytes | None, content_type: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {"Accept": "application/json" if content_type else "*/*", **self._identity}
        if content is not None:
            headers["Content-Type"] = content_type
        with _reaching("API", self.settings.api_url, "--api-url or ST2_API_URL"):
            response = self._send(method, url, content, headers)
            payload = response.read()
        self._trace(method, self.settings.api_url, url, response)
        return response, payload

    def _trace(self, method: str, service: str, url: str, response: http.client.HTTPResponse) -> None:
        if self._tell:
            self._tell(f"{method} {service.partition('//')[2].partition('/')[0]}{url}: {response.status}")

    def _send(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        reused = self._connection is not None
        if self._connection is None:
            self._connection = self._connect(self._api, timeout=_ANSWER_TIMEOUT)
        try:
            self._connection.request(method, url, body=content, headers=dict(headers))
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # What was sent may have been done: only a request that changes nothing is sent twice.
            if reused and method == "GET" and isinstance(error, _STALE):
                return self._send(method, url, content, headers)
            raise

    def _connect(self, base: SplitResult, timeout: float) -> http.client.HTTPConnection:
        if base.scheme == "https":
            import ssl

            context = ssl.create_default_context(cafile=self.settings.cacert)
            return http.client.HTTPSConnection(base.hostname or "", base.port, timeout=timeout, context=context)
        if base.scheme != "http" or not base.hostname:
            raise CommandError(f"{base.geturl()!r} is no http or https address.")
        return http.client.HTTPConnection(base.hostname, base.port, timeout=timeout)


def _url(base: SplitResult, path: str, query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return base.path + path + ("?" + urlencode(given) if given else "")


@contextlib.contextmanager
def _reaching(service: str, url: str, how_to_change: str) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(
            f"Cannot reach the {service} at {url} ({reason}).\n"
            "Is it running? `st2ctl status` shows it, `st2ctl start` starts it. "
            f"If it runs elsewhere, say so with {how_to_change}."
        ) from error


_WHO = " (`st2 login <user>` first, or set ST2_AUTH_TOKEN or ST2_API_KEY)"


def _raise_for_status(response: http.client.HTTPResponse, payload: bytes, url: str, hint: str = _WHO) -> None:
    if response.status < 400:
        return
    try:
        faultstring = str(json.loads(payload)["faultstring"])
    except (ValueError, KeyError, TypeError):
        faultstring = payload[:500].decode("utf-8", "replace").strip() or "the answer has no text"
    if response.status == 401:
        faultstring += hint
    raise ApiError(response.status, http.client.responses.get(response.status, response.reason), faultstring, url)


def _parse(payload: bytes, url: str) -> Any:
    try:
        return json.loads(payload)
    except ValueError as error:
        start = payload[:200].decode("utf-8", "replace")
        raise CommandError(f"The answer of {url} is not JSON; is this address the API's? It starts: {start}") from error
