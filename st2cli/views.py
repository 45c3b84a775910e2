"""Three ways to show the output of an execution: lines for people, JSON for programs, the bytes themselves."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TextIO

from st2cli import terminal
from st2cli.lines import LineAssembler, decode, overwritten

# Characters of unfinished line that are looked at before it is cut to the width of the terminal.
_PARTIAL_BYTES = 4096
# Colour sequences carried over to the next line; more than any program needs to describe one style.
_MAX_STYLE = 256

_ERASE_LINE = "\r\x1b[K"
_RESET = "\x1b[0m"
_RESETTING = re.compile(r"\x1b\[0*(?:;|m)")
_DIM, _STDERR = "\x1b[2m", "\x1b[2;31m"


@dataclass(slots=True)
class Output:
    """What one event carries: bytes of one stream that arrived together."""

    output_type: str
    timestamp: str
    #: Position in the log, as the server counts; None from a server that does not number its output.
    seq: str | None
    data: bytes


def completion(ending: dict[str, Any]) -> str:
    return f"Execution {ending['execution_id']} has completed (status={ending['status']})."


class View(Protocol):
    """Where the output goes."""

    def show(self, output: Output) -> None:
        """Writes what one event carries; the person sees it after the next `flush`."""

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
        self._assemblers: dict[str, LineAssembler] = {}
        self._seq: str | None = None

    def show(self, output: Output) -> None:
        assembler = self._assemblers.setdefault(output.output_type, LineAssembler())
        self._seq = output.seq
        for timestamp, block in assembler.feed(output.data, output.timestamp):
            self._write(timestamp, output.output_type, block)

    def flush(self) -> None:
        self._sink.flush()

    def interrupt(self) -> None:
        self._sink.flush()

    def end(self, ending: dict[str, Any] | None) -> None:
        for output_type, assembler in self._assemblers.items():
            for timestamp, block in assembler.close():
                self._write(timestamp, output_type, block)
        if ending is not None:
            self._sink.write(json.dumps(ending) + "\n")
        self._sink.flush()

    def _write(self, timestamp: str, output_type: str, block: bytes) -> None:
        for line in block.split(b"\n")[: block.count(b"\n")] or [block]:
            text = decode(line)
            if self._grep is None or self._grep.search(terminal.without_colours(text)):
                record = {"timestamp": timestamp, "output_type": output_type, "seq": self._seq, "line": text}
                self._sink.write(json.dumps(record) + "\n")


class LineView:
    """``[time][stream] line``, neutralised.

    On a terminal (``columns`` wide; 0 means that there is none) an unfinished line is shown at once, and rewritten when
    its rest comes.
    """

    def __init__(self, sink: TextIO, *, columns: int = 0, colour: bool = False, grep: re.Pattern[str] | None = None):
        self._sink = sink
        self._columns = columns
        self._colour = colour
        self._grep = grep
        self._assemblers: dict[str, LineAssembler] = {}
        self._styles: dict[str, str] = {}
        self._partial_shown = False

    def show(self, output: Output) -> None:
        kind = output.output_type
        assembler = self._assemblers.setdefault(kind, LineAssembler(overwriting=True))
        blocks = assembler.feed(output.data, output.timestamp)
        self._erase_partial()
        self._write(kind, blocks)
        if self._columns and self._grep is None:
            self._show_partial(kind, assembler)

    def flush(self) -> None:
        self._sink.flush()

    def interrupt(self) -> None:
        self._erase_partial()
        self._sink.flush()

    def end(self, ending: dict[str, Any] | None) -> None:
        self._erase_partial()
        for kind, assembler in self._assemblers.items():
            self._write(kind, assembler.close())
        if ending is not None:
            self._sink.write(completion(ending) + "\n")
        self._sink.flush()

    def _write(self, kind: str, blocks: list[tuple[str, bytes]]) -> None:
        for timestamp, block in blocks:
            text = decode(block).removesuffix("\n")
            prefix = self._prefix(timestamp, kind)
            plain = self._grep is None and not self._styles.get(kind) and terminal.NEEDS_CARE.search(text) is None
            if plain:
                self._sink.write(prefix + text.replace("\n", "\n" + prefix) + "\n")
            else:
                for line in text.split("\n"):
                    self._write_line(prefix, kind, terminal.neutralise(overwritten(line)))

    def _write_line(self, prefix: str, kind: str, line: str) -> None:
        if self._columns:
            line = self._with_style(kind, line)
        if self._grep is None or self._grep.search(terminal.without_colours(line)):
            self._sink.write(f"{prefix}{line}\n")

    def _with_style(self, kind: str, line: str) -> str:
        """A colour that a line leaves on must not colour the prefix of the next; it goes on after that prefix."""
        before = self._styles.get(kind, "")
        style = before
        for sequence in terminal.SGR.findall(line):
            style = "" if _RESETTING.match(sequence) else style
            style = style if sequence in (_RESET, "\x1b[m") else style + sequence
        self._styles[kind] = style[-_MAX_STYLE:] if len(style) <= _MAX_STYLE else ""
        return f"{before}{line}{_RESET}" if before or style else line

    def _prefix(self, timestamp: str, kind: str) -> str:
        prefix = f"[{timestamp}][{kind}]"
        if self._colour:
            return f"{_STDERR if kind == 'stderr' else _DIM}{prefix}{_RESET} "
        return prefix + " "

    def _show_partial(self, kind: str, assembler: LineAssembler) -> None:
        begun = overwritten(decode(assembler.begun(_PARTIAL_BYTES), whole=False))
        if not begun:
            return
        text = terminal.without_colours(terminal.Neutraliser().feed(begun))
        prefix = f"[{assembler.timestamp}][{kind}] "
        # One column stays free: a line that wraps could not be erased. Wide characters may take two columns.
        free = self._columns - len(prefix) - 1
        shown = text[:free] if text.isascii() else text[: free // 2]
        self._sink.write(self._prefix(assembler.timestamp, kind) + shown)
        self._partial_shown = True

    def _erase_partial(self) -> None:
        if self._partial_shown:
            self._sink.write(_ERASE_LINE)
            self._partial_shown = False
