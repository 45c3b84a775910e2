"""A small WS-Management server, for there is no Windows here: shells, whose commands are bash's, over HTTP or TLS.

A command that is PowerShell gives back the script that it was handed. The server asks for basic authentication.
"""

from __future__ import annotations

import base64
import os
import queue
import signal
import ssl
import subprocess
import threading
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

USER, PASSWORD = "Administrator", "open sesame"

_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_NAMES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "r": _SHELL,
}
_NO_OUTPUT_YET = 2150858793
# Seconds that a request for output is held here: a client must come back after it.
_HELD = 0.2


@dataclass
class _Command:
    process: subprocess.Popen[bytes]
    #: (stream, data); data None: its end.
    output: queue.Queue[tuple[str, bytes | None]] = field(default_factory=queue.Queue)
    open_streams: int = 2


class Wsman:
    def __init__(self) -> None:
        self.port = 0
        #: Environment and directory of each shell that is open.
        self.shells: dict[str, tuple[dict[str, str], str | None]] = {}
        self.commands: dict[str, _Command] = {}
        self.lines: list[str] = []

    def answer(self, action: str, envelope: ET.Element) -> tuple[int, str]:
        body = envelope.find("s:Body", _NAMES)
        assert body is not None
        match action.rpartition("/")[2]:
            case "Create":
                return 200, self._create(body)
            case "Command":
                return 200, self._command(envelope, body)
            case "Send":
                return 200, self._send(body)
            case "Receive":
                return self._receive(body)
            case "Signal":
                return 200, self._signal(body)
            case "Delete":
                del self.shells[_shell_of(envelope)]
                return 200, ""
        raise AssertionError(action)

    def _create(self, body: ET.Element) -> str:
        variables = {str(each.get("Name")): each.text or "" for each in body.iterfind(".//r:Variable", _NAMES)}
        directory = body.findtext(".//r:WorkingDirectory", None, _NAMES)
        shell = str(uuid.uuid4()).upper()
        self.shells[shell] = variables, directory
        return f'<r:Shell><w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector></w:SelectorSet></r:Shell>'

    def _command(self, envelope: ET.Element, body: ET.Element) -> str:
        line = body.findtext(".//r:Command", "", _NAMES)
        self.lines.append(line)
        variables, directory = self.shells[_shell_of(envelope)]
        process = subprocess.Popen(
            ["base64", "-d"] if line.startswith("powershell") else ["bash", "-c", line],
            env={"PATH": os.environ["PATH"], **variables},
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        command = _Command(process)
        for name in ("stdout", "stderr"):
            threading.Thread(target=self._read, args=(command, name), daemon=True).start()
        identity = str(uuid.uuid4()).upper()
        self.commands[identity] = command
        return f"<r:CommandResponse><r:CommandId>{identity}</r:CommandId></r:CommandResponse>"

    def _read(self, command: _Command, name: str) -> None:
        pipe = getattr(command.process, name)
        while data := pipe.read(65536):
            command.output.put((name, data))
        pipe.close()
        command.output.put((name, None))

    def _send(self, body: ET.Element) -> str:
        stream = body.find(".//r:Stream", _NAMES)
        assert stream is not None
        pipe = self.commands[str(stream.get("CommandId"))].process.stdin
        assert pipe
        pipe.write(base64.b64decode(stream.text or ""))
        if stream.get("End") == "true":
            pipe.close()
        return "<r:SendResponse/>"

    def _receive(self, body: ET.Element) -> tuple[int, str]:
        desired = body.find(".//r:DesiredStream", _NAMES)
        assert desired is not None
        identity = str(desired.get("CommandId"))
        command = self.commands[identity]
        try:
            name, data = command.output.get(timeout=_HELD)
        except queue.Empty:
            return 500, _fault()
        if data is not None:
            text = base64.b64encode(data).decode()
            stream = f'<r:Stream Name="{name}" CommandId="{identity}">{text}</r:Stream>'
            return 200, f"<r:ReceiveResponse>{stream}{_state(identity, None)}</r:ReceiveResponse>"
        command.open_streams -= 1
        ended = command.process.wait() if not command.open_streams else None
        return 200, f"<r:ReceiveResponse>{_state(identity, ended)}</r:ReceiveResponse>"

    def _signal(self, body: ET.Element) -> str:
        wanted = body.find(".//r:Signal", _NAMES)
        assert wanted is not None
        process = self.commands[str(wanted.get("CommandId"))].process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdin and not process.stdin.closed:
            process.stdin.close()
        return "<r:SignalResponse/>"


def _shell_of(envelope: ET.Element) -> str:
    return envelope.findtext(".//w:Selector", "", _NAMES)


def _state(identity: str, code: int | None) -> str:
    if code is None:
        return f'<r:CommandState CommandId="{identity}" State="{_SHELL}/CommandState/Running"/>'
    state = f"{_SHELL}/CommandState/Done"
    return f'<r:CommandState CommandId="{identity}" State="{state}"><r:ExitCode>{code}</r:ExitCode></r:CommandState>'


def _fault() -> str:
    return (
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>"
        "<s:Reason><s:Text>Timed out</s:Text></s:Reason><s:Detail>"
        f'<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{_NO_OUTPUT_YET}"/>'
        "</s:Detail></s:Fault>"
    )


def _handler(server: Wsman) -> type[BaseHTTPRequestHandler]:
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Authorization") != expected:
                self._reply(401, b"", {"WWW-Authenticate": 'Basic realm="WSMAN"'})
                return
            envelope = ET.fromstring(content)  # noqa: S314 - it comes from the test itself
            status, body = server.answer(envelope.findtext(".//a:Action", "", _NAMES), envelope)
            names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMES.items())
            relates = envelope.findtext(".//a:MessageID", "", _NAMES)
            header = f"<s:Header><a:RelatesTo>{relates}</a:RelatesTo></s:Header>"
            text = f"<s:Envelope {names}>{header}<s:Body>{body}</s:Body></s:Envelope>"
            self._reply(status, text.encode(), {"Content-Type": "application/soap+xml;charset=UTF-8"})

        def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Handler


@contextmanager
def running_wsman(certificate: Path | None = None) -> Iterator[Wsman]:
    """``certificate``: file with a certificate and its key, to talk TLS."""
    wsman = Wsman()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(wsman))
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that go away are part of the tests
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    wsman.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield wsman
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
