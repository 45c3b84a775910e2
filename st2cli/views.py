"""Three ways to show the output of an execution: lines for people, JSON for programs, the bytes themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, Protocol, TextIO

from st2cli import terminal
from st2cli.lines import LineAssembler, decode, overwritten

# Characters of unfinished line that are looked at before it is cut to the width of the terminal.
_PARTIAL_BYTES = 4096
# Columns of it that are worth a prefix: on a terminal that is narrower, the line alone is shown until it is complete.
_LEAST_PARTIAL = 8
# Colour sequences carried over to the next line; more than any program needs to describe one style.
_MAX_STYLE = 256

_ERASE_LINE = "\r\x1b[K"
_RESET = "\x1b[0m"
_RESETTING = re.compile(r"\x1b\[0*(?:;|m)")
_DIM, _STDERR = "\x1b[2m", "\x1b[2;31m"


class Origin(NamedTuple):
    """Where output comes from."""

    #: ``stdout`` or ``stderr``.
    kind: str
    #: Of a step of a workflow: its id, and the names of the tasks that lead to it.
    execution_id: str = ""
    path: str = ""


class Output(NamedTuple):
    """What one event carries: bytes of one stream that arrived together."""

    origin: Origin
    timestamp: str
    #: Position in the log, as the server counts; None from a server that does not number its output.
    seq: str | None
    data: bytes


class Step(NamedTuple):
    """A step of a workflow that has begun, or ended."""

    execution_id: str
    path: str
    timestamp: str
    action_ref: str
    #: None: it has begun.
    status: str | None = None
    exit_code: int | None = None


def completion(ending: dict[str, Any]) -> str:
    return f"Execution {ending['execution_id']} has completed (status={ending['status']})."


class View(Protocol):
    """Where the output goes."""

    def show(self, output: Output) -> None:
        """Writes what one event carries; the person sees it after the next `flush`."""

    def step(self, step: Step) -> None:
        """A step of a workflow begins, or has ended: nothing more comes of it."""

    def flush(self) -> None:
        """Nothing more has arrived for now."""

    def interrupt(self) -> None:
        """Something else is about to be written to the terminal."""

    def end(self, ending: dict[str, Any] | None) -> None:
        """Nothing more comes. ``ending``: execution_id, status and what is known of exit_code, bytes and lines.

        None: the execution has not ended, only the watching.
        """


class RawView:
    """The exact bytes, of both streams in the order in which they were read."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def show(self, output: Output) -> None:
        self._sink.write(output.data)

    def step(self, step: Step) -> None:
        """Says nothing: it is not part of the bytes."""

    def flush(self) -> None:
        self._sink.flush()

    def interrupt(self) -> None:
        self._sink.flush()

    def end(self, ending: dict[str, Any] | None) -> None:
        """Says nothing: the end is not part of the bytes."""


class JsonView:
    """One object for each line, and one with a ``status`` at the end."""

    def __init__(self, sink: TextIO, grep: re.Pattern[str] | None = None) -> None:
        self._sink = sink
        self._grep = grep
        self._assemblers: dict[Origin, LineAssembler] = {}
        self._seq: str | None = None

    def show(self, output: Output) -> None:
        assembler = self._assemblers.setdefault(output.origin, LineAssembler())
        self._seq = output.seq
        for timestamp, block in assembler.feed(output.data, output.timestamp):
            self._write(timestamp, output.origin, block)

    def step(self, step: Step) -> None:
        self._close(step.execution_id)
        told = {"timestamp": step.timestamp, "execution_id": step.execution_id, "path": step.path}
        if step.status is None:
            told |= {"event": "started", "action": step.action_ref}
        else:
            told |= {"event": "ended", "step_status": step.status}
        self._sink.write(json.dumps(told) + "\n")

    def flush(self) -> None:
        self._sink.flush()

    def interrupt(self) -> None:
        self._sink.flush()

    def end(self, ending: dict[str, Any] | None) -> None:
        self._close(None)
        if ending is not None:
            self._sink.write(json.dumps(ending) + "\n")
        self._sink.flush()

    def _close(self, execution_id: str | None) -> None:
        """Nothing more comes of this one, or of any."""
        for origin in [each for each in self._assemblers if execution_id in (None, each.execution_id)]:
            for timestamp, block in self._assemblers.pop(origin).close():
                self._write(timestamp, origin, block)

    def _write(self, timestamp: str, origin: Origin, block: bytes) -> None:
        for line in block.split(b"\n")[: block.count(b"\n")] or [block]:
            text = decode(line)
            if self._grep is None or self._grep.search(terminal.without_colours(text)):
                record = {"timestamp": timestamp, "output_type": origin.kind, "seq": self._seq, "line": text}
                if origin.execution_id:
                    record |= {"execution_id": origin.execution_id, "path": origin.path}
                self._sink.write(json.dumps(record) + "\n")


class LineView:
    """``[time][stream] line``, of a step of a workflow ``[time][path][stream] line``, neutralised.

    On a terminal (``columns`` wide; 0 means that there is none) an unfinished line is shown at once, and rewritten when
    its rest comes.
    """

    def __init__(
        self,
        sink: TextIO,
        *,
        columns: int = 0,
        colour: bool = False,
        grep: re.Pattern[str] | None = None,
        time: Callable[[str], str] = str,
    ) -> None:
        """``time``: how the platform's times are shown."""
        self._sink = sink
        self._columns = columns
        self._colour = colour
        self._grep = grep
        self._time = time
        self._assemblers: dict[Origin, LineAssembler] = {}
        self._styles: dict[Origin, str] = {}
        self._partial_shown = False

    def show(self, output: Output) -> None:
        origin = output.origin
        assembler = self._assemblers.setdefault(origin, LineAssembler(overwriting=True))
        blocks = assembler.feed(output.data, output.timestamp)
        self._erase_partial()
        self._write(origin, blocks)
        if self._columns and self._grep is None:
            self._show_partial(origin, assembler)

    def step(self, step: Step) -> None:
        self._erase_partial()
        self._close(step.execution_id)
        if self._grep is not None:
            return
        if step.status is None:
            what = f"Has started: {step.action_ref}, execution {step.execution_id}"
        else:
            code = "" if step.exit_code is None else f", exit code {step.exit_code}"
            what = f"Has ended (status={step.status}{code})"
        prefix = f"[{self._time(step.timestamp)}][{terminal.neutralise(step.path)}]"
        self._sink.write(f"{_DIM}{prefix} {what}{_RESET}\n" if self._colour else f"{prefix} {what}\n")

    def flush(self) -> None:
        self._sink.flush()

    def interrupt(self) -> None:
        self._erase_partial()
        self._sink.flush()

    def end(self, ending: dict[str, Any] | None) -> None:
        self._erase_partial()
        self._close(None)
        if ending is not None:
            self._sink.write(completion(ending) + "\n")
        self._sink.flush()

    def _close(self, execution_id: str | None) -> None:
        """Nothing more comes of this one, or of any."""
        for origin in [each for each in self._assemblers if execution_id in (None, each.execution_id)]:
            self._write(origin, self._assemblers.pop(origin).close())
            self._styles.pop(origin, None)

    def _write(self, origin: Origin, blocks: list[tuple[str, bytes]]) -> None:
        for timestamp, block in blocks:
            text = decode(block).removesuffix("\n")
            prefix = self._prefix(timestamp, origin)
            plain = self._grep is None and not self._styles.get(origin) and terminal.NEEDS_CARE.search(text) is None
            if plain:
                self._sink.write(prefix + text.replace("\n", "\n" + prefix) + "\n")
            else:
                for line in text.split("\n"):
                    self._write_line(prefix, origin, terminal.neutralise(overwritten(line)))

    def _write_line(self, prefix: str, origin: Origin, line: str) -> None:
        if self._columns:
            line = self._with_style(origin, line)
        if self._grep is None or self._grep.search(terminal.without_colours(line)):
            self._sink.write(f"{prefix}{line}\n")

    def _with_style(self, origin: Origin, line: str) -> str:
        """A colour that a line leaves on must not colour the prefix of the next; it goes on after that prefix."""
        before = self._styles.get(origin, "")
        style = before
        for sequence in terminal.SGR.findall(line):
            style = "" if _RESETTING.match(sequence) else style
            style = style if sequence in (_RESET, "\x1b[m") else style + sequence
        self._styles[origin] = style[-_MAX_STYLE:] if len(style) <= _MAX_STYLE else ""
        return f"{before}{line}{_RESET}" if before or style else line

    def _prefix(self, timestamp: str, origin: Origin) -> str:
        path = f"[{terminal.neutralise(origin.path)}]" if origin.execution_id else ""
        prefix = f"[{self._time(timestamp)}]{path}[{origin.kind}]"
        if self._colour:
            return f"{_STDERR if origin.kind == 'stderr' else _DIM}{prefix}{_RESET} "
        return prefix + " "

    def _show_partial(self, origin: Origin, assembler: LineAssembler) -> None:
        begun = overwritten(decode(assembler.begun(_PARTIAL_BYTES), whole=False))
        if not begun:
            return
        text = terminal.without_colours(terminal.Neutraliser().feed(begun))
        path = f"[{terminal.neutralise(origin.path)}]" if origin.execution_id else ""
        prefix = f"[{self._time(assembler.timestamp)}]{path}[{origin.kind}] "
        # One column stays free: a line that wraps could not be erased. Wide characters may take two columns.
        free = self._columns - len(prefix) - 1
        shown_prefix = self._prefix(assembler.timestamp, origin)
        if free < _LEAST_PARTIAL:
            shown_prefix, free = "", self._columns - 1
        shown = text[:free] if text.isascii() else text[: free // 2]
        self._sink.write(shown_prefix + shown)
        self._partial_shown = True

    def _erase_partial(self) -> None:
        if self._partial_shown:
            self._sink.write(_ERASE_LINE)
            self._partial_shown = False
