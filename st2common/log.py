"""Logging of a process: to stderr, unless the service's own logging file exists."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import os
import stat
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg

from st2common.errors import ConfigError
from st2common.logging.formatters import ConsoleLogFormatter, JsonLogFormatter

LOG = logging.getLogger(__name__)

FORMAT = "%(asctime)s %(threadName)s %(levelname)s %(module)s [-] %(message)s"

# Above CRITICAL: what happened and who did it. Logging files of the StackStorm family name this level.
AUDIT = logging.CRITICAL + 10
logging.addLevelName(AUDIT, "AUDIT")

# Libraries whose INFO is about every connection and request.
_CHATTY = ("amqp", "kombu", "paramiko", "pymongo", "urllib3")


class FormatNamedFileHandler(logging.handlers.WatchedFileHandler):
    """A file whose name may hold ``{pid}`` and ``{timestamp}``; opened again when somebody moved it away (rotation)."""

    def __init__(self, filename: str, mode: str = "a", encoding: str | None = "utf-8", delay: bool = False) -> None:
        super().__init__(filename.format(pid=os.getpid(), timestamp=int(time.time())), mode, encoding, delay)


class _Excluding(logging.Filter):
    """Drops records of some loggers and of all below them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = tuple(names)

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(record.name == name or record.name.startswith(f"{name}.") for name in self._names)


def reopen_files() -> None:
    """Open the log files again by their names, stderr's among them: somebody has moved them away (rotation)."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.acquire()
            try:
                # The next record opens it again.
                if handler.stream:
                    handler.stream.close()
                    handler.stream = None
            finally:
                handler.release()
    if _STDERR_FILE is not None:
        try:
            opened = os.open(_STDERR_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            LOG.error("%s cannot be opened again: %s", _STDERR_FILE, error.strerror)
            return
        for descriptor in (1, 2):
            if _file_behind(descriptor) is not None:
                os.dup2(opened, descriptor)
        os.close(opened)


def _file_behind(descriptor: int) -> Path | None:
    """The regular file that a descriptor writes to; None for a terminal, a pipe, a socket or nothing."""
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        return None
    return Path(f"/proc/self/fd/{descriptor}").readlink() if regular else None


# Its name when we started: what /proc says later is the name that rotation gave it.
_STDERR_FILE = _file_behind(2)


def configure(group: str, config: cfg.ConfigOpts) -> None:
    """Set up logging for the daemon whose options are in ``group``.

    Raises:
        ConfigError: the service's logging file is there and is not valid.
    """
    path = Path(config[group].logging)
    if path.is_file():
        _configure_from(path)
    else:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=FORMAT, force=True)
        if config.log.format == "json":
            for handler in logging.getLogger().handlers:
                handler.setFormatter(JsonLogFormatter())
        for chatty in _CHATTY:
            logging.getLogger(chatty).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        _escape_in(handler)
        handler.addFilter(_Excluding(config.log.excludes))
    if config.system.debug:
        logging.getLogger().setLevel(logging.DEBUG)
    logging.captureWarnings(True)


def _configure_from(path: Path) -> None:
    try:
        logging.config.fileConfig(path, disable_existing_loggers=False)
    # What a wrong file raises depends on what is wrong in it: a name, a section, an argument of a handler.
    except Exception as error:
        raise ConfigError(f"{path}: not a valid logging file: {' '.join(str(error).split())}") from error


def _escape_in(handler: logging.Handler) -> None:
    """Give the handler a formatter that escapes, with the layout it has; one of another class knows what it does."""
    plain = handler.formatter
    if plain is None or type(plain) is logging.Formatter:
        layout, dates = (plain._fmt, plain.datefmt) if plain else (FORMAT, None)
        handler.setFormatter(ConsoleLogFormatter(layout, dates))
