"""Where results go and in which form: tables on a terminal, plain text in a pipe, JSON or YAML on request."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TextIO

from st2cli import tables
from st2cli.terminal import neutralise

Form = Literal["text", "json", "yaml"]

# JSON leaves these as they are; a terminal would obey them.
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


class Printer:
    """Writes documents to stdout, remarks to stderr."""

    def __init__(self, form: Form = "text", stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.form = form
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.is_terminal = self.stdout.isatty()
        self.colour = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def columns(self) -> int:
        """The width of the terminal; 0 when there is none."""
        return shutil.get_terminal_size().columns if self.is_terminal else 0

    def text(self, text: str) -> None:
        self.stdout.write(neutralise(text) + "\n")
        self.stdout.flush()

    def value(self, text: str) -> None:
        """A text that somebody asked for by name: exact in a pipe, harmless on a terminal."""
        self.stdout.write((neutralise(text) if self.is_terminal else text) + "\n")

    def note(self, text: str) -> None:
        """Something that is no part of the result."""
        self.stderr.write(neutralise(text) + "\n")
        self.stderr.flush()

    def data(self, value: Any) -> None:
        """A value in the chosen form; JSON when no form was chosen."""
        if self.form == "yaml":
            import yaml

            self.stdout.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=False, default_flow_style=False))
        else:
            self.stdout.write(json.dumps(value, indent=4, ensure_ascii=False).translate(_CONTROLS) + "\n")

    def table(self, documents: Sequence[Mapping[str, Any]], attributes: Sequence[str], empty: str) -> None:
        """A list of documents, one a row; ``empty`` is said when there are none."""
        if self.form != "text":
            self.data(list(documents))
            return
        if not documents:
            self.text(empty)
            return
        rows = [[self._cell(document, attribute) for attribute in attributes] for document in documents]
        self._write_table(attributes, rows)

    def properties(self, document: Mapping[str, Any], attributes: Sequence[str] | None = None) -> None:
        """One document as a table of property and value."""
        if self.form != "text":
            self.data(document if attributes is None else {name: tables.lookup(document, name) for name in attributes})
            return
        names = list(document) if attributes is None else attributes
        self._write_table(["Property", "Value"], [[name, _long_cell(tables.lookup(document, name))] for name in names])

    def block(self, document: Mapping[str, Any], attributes: Sequence[str]) -> None:
        """``name: value`` lines; values of any depth are indented below their name."""
        for name in attributes:
            value = tables.lookup(document, name)
            if name == "status" and value is not None:
                text = tables.cell(tables.status_text(document))
                self.stdout.write(f"status: {tables.coloured_status(text) if self.colour else text}\n")
            else:
                self.stdout.write(tables.block({name: value}))

    def _cell(self, document: Mapping[str, Any], attribute: str) -> str:
        if attribute == "status":
            return tables.cell(tables.status_text(document))
        text = tables.cell(tables.lookup(document, attribute))
        if self.is_terminal and attribute.endswith("_timestamp"):
            # To the second, and with a place to wrap: a person looks at it.
            return text[:19].replace("T", " ") + "Z" if text else ""
        return text

    def _write_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if self.is_terminal:
            self.stdout.write(tables.boxed(columns, rows, self.columns, colour=self.colour))
        else:
            self.stdout.write(tables.plain(columns, rows))


def _long_cell(value: Any) -> str:
    if isinstance(value, (Mapping, list)) and value:
        return tables.cell(json.dumps(value, indent=2, ensure_ascii=False))
    return tables.cell(value)
