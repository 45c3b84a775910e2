"""Where results go and in which form: tables on a terminal, plain text in a pipe, JSON or YAML on request."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO

from st2cli import tables, times
from st2cli.terminal import neutralise

if TYPE_CHECKING:
    from datetime import tzinfo

Form = Literal["text", "json", "yaml"]

_ERASE_LINE = "\r\x1b[K"
# Ends of the names of attributes that are times.
_TIMES = ("_timestamp", "_at", "_time")
# JSON leaves these as they are; a terminal would obey them.
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


class Printer:
    """Writes documents to stdout, remarks to stderr."""

    def __init__(
        self,
        form: Form = "text",
        attributes: Sequence[str] = (),
        *,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        """``attributes``: those that the person has asked for, in the place of what a command shows by itself."""
        self.form = form
        self._attributes = attributes
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.is_terminal = self.stdout.isatty()
        self._rewrites = self.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._progress = ""
        #: In which people are shown times; None: UTC.
        self.zone: tzinfo | None = None
        self.colour = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def columns(self) -> int:
        """The width of the terminal; 0 when there is none."""
        return shutil.get_terminal_size().columns if self.is_terminal else 0

    def text(self, text: str) -> None:
        self.stdout.write(neutralise(text) + "\n")
        self.stdout.flush()

    def time(self, timestamp: str) -> str:
        """A time of the platform, for people."""
        return times.in_zone(timestamp, self.zone)

    def value(self, text: str) -> None:
        """A text that somebody asked for by name: exact in a pipe, harmless on a terminal."""
        self.stdout.write((neutralise(text) if self.is_terminal else text) + "\n")

    def note(self, text: str) -> None:
        """Something that is no part of the result."""
        self.progress("")
        self.stderr.write(neutralise(text) + "\n")
        self.stderr.flush()

    def progress(self, text: str) -> None:
        """What a person waits for, in the place of what was said of it before; "" takes that away. Not in a pipe."""
        if self._progress == text or not self._rewrites:
            return
        width = shutil.get_terminal_size().columns - 1
        self.stderr.write(_ERASE_LINE + neutralise(text)[:width])
        self.stderr.flush()
        self._progress = text

    def data(self, value: Any) -> None:
        """A value in the chosen form; JSON when no form was chosen."""
        if self.form == "yaml":
            import yaml

            self.stdout.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=False, default_flow_style=False))
        else:
            self.stdout.write(json.dumps(value, indent=4, ensure_ascii=False).translate(_CONTROLS) + "\n")

    def asked(self, attributes: Sequence[str] | None) -> Sequence[str] | None:
        """Which attributes are to be shown where a command shows ``attributes`` by itself; None: all."""
        if not self._attributes:
            return attributes
        return None if "all" in self._attributes else self._attributes

    def included(self, attributes: Sequence[str] | None) -> str | None:
        """The same as the API's parameter ``include_attributes``."""
        asked = self.asked(attributes)
        return None if asked is None else ",".join(asked)

    def selected(self, document: Mapping[str, Any], attributes: Sequence[str] | None = None) -> dict[str, Any]:
        """What of a document is printed as JSON or YAML."""
        asked = self.asked(attributes)
        return dict(document) if asked is None else {name: tables.lookup(document, name) for name in asked}

    def table(self, documents: Sequence[Mapping[str, Any]], attributes: Sequence[str], empty: str) -> None:
        """A list of documents, one a row; ``empty`` is said when there are none."""
        if self.form != "text":
            self.data([self.selected(document) for document in documents])
            return
        if not documents:
            self.text(empty)
            return
        attributes = self.asked(attributes) or list(dict.fromkeys(name for each in documents for name in each))
        rows = [[self._cell(document, attribute) for attribute in attributes] for document in documents]
        self._write_table(attributes, rows)

    def properties(self, document: Mapping[str, Any], attributes: Sequence[str] | None = None) -> None:
        """One document as a table of property and value."""
        if self.form != "text":
            self.data(self.selected(document, attributes))
            return
        names = self.asked(attributes) or list(document)
        self._write_table(["Property", "Value"], [[name, _long_cell(self._shown(document, name))] for name in names])

    def block(self, document: Mapping[str, Any], attributes: Sequence[str]) -> None:
        """``name: value`` lines; values of any depth are indented below their name."""
        for name in self.asked(attributes) or list(document):
            value = self._shown(document, name)
            if name == "status" and value is not None:
                text = tables.cell(tables.status_text(document))
                self.stdout.write(f"status: {tables.coloured_status(text) if self.colour else text}\n")
            else:
                self.stdout.write(tables.block({name: value}))

    def _cell(self, document: Mapping[str, Any], attribute: str) -> str:
        if attribute == "status":
            return tables.cell(tables.status_text(document))
        text = tables.cell(self._shown(document, attribute))
        return times.short(text) if self.is_terminal and attribute.endswith(_TIMES) else text

    def _shown(self, document: Mapping[str, Any], attribute: str) -> Any:
        value = tables.lookup(document, attribute)
        return self.time(value) if isinstance(value, str) and attribute.endswith(_TIMES) else value

    def _write_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if self.is_terminal:
            self.stdout.write(tables.boxed(columns, rows, self.columns, colour=self.colour))
        else:
            self.stdout.write(tables.plain(columns, rows))


def _long_cell(value: Any) -> str:
    if isinstance(value, (Mapping, list)) and value:
        return tables.cell(json.dumps(value, indent=2, ensure_ascii=False))
    return tables.cell(value)
