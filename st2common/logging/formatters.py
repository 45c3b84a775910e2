"""Layouts of log records.

A message can carry what a stranger wrote (a parameter, a header, a host's banner), so control characters are escaped:
one record is one line, and no line can pretend to be another record or drive the reader's terminal. The lines of a
traceback stay apart, indented.
"""

from __future__ import annotations

import json
import logging
import re
import socket
from datetime import UTC, datetime

from st2common.logging.context import EXECUTION_ID, REQUEST_ID

# C0 except tab, DEL, C1, and the separators that some viewers break lines at.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")

# GELF's levels are syslog's: from which of ours on, and theirs.
_GELF_LEVELS = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7


def escape(text: str) -> str:
    r"""Control characters as ``\x1b`` or ``\n``; everything else as it is."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


class ConsoleLogFormatter(logging.Formatter):
    """A record is one line; the lines of a traceback follow it, indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        return escape(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        # The standard library keeps the traceback's text in the record, as another handler's formatter made it.
        record.exc_text = None
        return super().format(record)

    def formatException(self, ei: object) -> str:  # noqa: N802 - the standard library's name
        return _indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the standard library's name
        return _indented(stack_info)


def _indented(text: str) -> str:
    return "\n".join("  " + escape(line) for line in text.split("\n"))


class JsonLogFormatter(logging.Formatter):
    """A record as one line of JSON in ASCII; the request and the execution are named where they are known."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": REQUEST_ID.get(),
            "execution_id": EXECUTION_ID.get(),
            "exception": self.formatException(record.exc_info) if record.exc_info else None,
            "stack": record.stack_info,
            "module": record.module,
            "line": record.lineno,
            "thread": record.threadName,
            "pid": record.process,
        }
        shown = json.dumps({name: value for name, value in fields.items() if value is not None})
        # The one control character that JSON leaves as it is.
        return shown.replace("\x7f", "\\u007f")


class GelfLogFormatter(logging.Formatter):
    """A record as one JSON object in the Graylog Extended Log Format 1.1."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return json.dumps(
            {
                "version": "1.1",
                "host": socket.gethostname(),
                "short_message": message,
                "full_message": message + trace,
                "timestamp": record.created,
                "level": _gelf_level(record.levelno),
                "_python": {"name": record.name, "module": record.module, "lineno": record.lineno},
                "_pid": record.process,
            }
        )


def _gelf_level(number: int) -> int:
    return next((level for least, level in _GELF_LEVELS if number >= least), _DEBUG)
