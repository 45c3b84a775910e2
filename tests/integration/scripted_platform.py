"""An HTTP server that answers like the API and the stream service, from a script: what the ``st2`` command talks to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

EXECUTION_ID = "6b02f22bd23843de9f9e3c84"

LOCAL = {
    "id": "6b02ecc770ede5896b85ca22",
    "ref": "core.local",
    "pack": "core",
    "name": "local",
    "description": "Action that executes an arbitrary Linux command on the localhost.",
    "enabled": True,
    "entry_point": "",
    "runner_type": "local-shell-cmd",
    "parameters": {"cmd": {"required": True, "type": "string"}, "sudo": {"immutable": True}},
}
RUNNER = {
    "id": "6b02ecc570ede5896b85c973",
    "name": "local-shell-cmd",
    "description": "A runner to execute local actions as a fixed user.",
    "enabled": True,
    "runner_parameters": {
        "cmd": {"type": "string"},
        "env": {"type": "object"},
        "sudo": {"type": "boolean", "default": False},
        "timeout": {"type": "integer", "default": 60},
    },
}


def execution(status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "id": EXECUTION_ID,
        "action": {"ref": "core.local", "runner_type": "local-shell-cmd"},
        "context": {"user": "root", "pack": "core"},
        "status": status,
        "start_timestamp": "2026-11-22T13:46:19.072588Z",
        "end_timestamp": "2026-11-22T13:46:19.269418Z",
        "elapsed_seconds": 0.19683,
        "parameters": {"cmd": "date"},
        "result": {"failed": False, "succeeded": True, "return_code": 0, "stdout": "hello\nworld", "stderr": ""},
        **more,
    }


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    client_port: int


#: (status, document); the document is sent as JSON, bytes as they are.
Answer = tuple[int, Any]


@dataclass
class ScriptedPlatform:
    """Answers by (method, path); a list of answers is used up one by one, its last one stays."""

    answers: dict[tuple[str, str], list[Answer] | Callable[[Request], Answer]] = field(default_factory=dict)
    #: Event streams by path: the events, each complete with its empty line.
    streams: dict[str, list[bytes]] = field(default_factory=dict)
    stream_headers: dict[str, str] = field(default_factory=dict)
    #: For each connection in turn: after how many bytes of the body it breaks. None, or beyond the end: it does not.
    breaks: list[int | None] = field(default_factory=list)
    #: Whether streams are sent with chunked encoding, or ended by closing the connection.
    chunked: bool = False
    #: Streams wait for this before they send their last event.
    may_end: threading.Event = field(default_factory=threading.Event)
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def asked(self, method: str, path: str) -> list[Request]:
        return [request for request in self.requests if (request.method, request.path) == (method, path)]

    @contextmanager
    def serving(self) -> Iterator[ScriptedPlatform]:
        platform = self

        class Handler(_Handler):
            script = platform

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield self
            finally:
                self.may_end.set()
                server.shutdown()
                thread.join()


class _Handler(BaseHTTPRequestHandler):
    script: ScriptedPlatform
    protocol_version = "HTTP/1.1"
    timeout = 10

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionResetError, BrokenPipeError):
            self.close_connection = True  # the client is gone: that is what some tests do

    def _answer(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body: Any = self.rfile.read(length).decode() if length else None
        if body is not None and self.headers["Content-Type"] == "application/json":
            body = json.loads(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, url.path, dict(parse_qsl(url.query)), headers, body, self.client_address[1])
        self.script.requests.append(request)
        if url.path in self.script.streams:
            self._stream(self.script.streams[url.path])
            return
        answers = self.script.answers.get((request.method, request.path))
        if answers is None:
            status, document = 404, {"faultstring": "The resource could not be found."}
        elif callable(answers):
            status, document = answers(request)
        else:
            status, document = answers.pop(0) if len(answers) > 1 else answers[0]
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if isinstance(document, list):
            self.send_header("X-Total-Count", "120")
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - http.server calls them so

    def _stream(self, events: list[bytes]) -> None:
        script = self.script
        budget = script.breaks.pop(0) if script.breaks else None
        last_seen = self.headers.get("Last-Event-ID")
        start = 0
        if last_seen is not None:
            known = [event.startswith(f"id: {last_seen}\n".encode()) for event in events]
            start = known.index(True) + 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=UTF-8")
        for name, value in script.stream_headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked") if script.chunked else self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for number, event in enumerate(events[start:], start + 1):
            if number == len(events):
                script.may_end.wait(10)
            piece = b"%x\r\n%s\r\n" % (len(event), event) if script.chunked else event
            if budget is not None and budget < len(piece):
                self.wfile.write(piece[:budget])
                return
            budget = None if budget is None else budget - len(piece)
            self.wfile.write(piece)
        if script.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in http.server
        """The tests say what they need to know."""


def output_event(seq: str, data: bytes | str, kind: str = "stdout") -> bytes:
    document: dict[str, Any] = {
        "id": f"{EXECUTION_ID}:{seq}",
        "execution_id": EXECUTION_ID,
        "action_ref": "core.local",
        "runner_ref": "local-shell-cmd",
        "timestamp": f"2026-11-22T13:46:19.{int(float(seq) * 10):06d}Z",
        "output_type": kind,
        "data": data if isinstance(data, str) else data.decode("utf-8", "replace"),
        "seq": seq,
    }
    if isinstance(data, bytes):
        import base64

        document["data_base64"] = base64.b64encode(data).decode()
    text = json.dumps(document, ensure_ascii=False)
    return f"id: {seq}\nevent: st2.execution.output__create\ndata: {text}\n\n".encode()


def end_events(seq: str, status: str = "succeeded", **more: Any) -> list[bytes]:
    document = {"execution_id": EXECUTION_ID, "final_status": status, "exit_code": 0, "truncated_bytes": 0, **more}
    return [
        f"id: {seq}\nevent: st2.execution.output__end\ndata: {json.dumps(document)}\n\n".encode(),
        b"event: EOF\ndata: ''\n\n",
    ]
