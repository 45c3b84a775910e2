"""Loads the entry point of a python action and runs it: the program of the python-script runner.

Reads one JSON object from standard input:

    {"file_path", "pack", "parameters": {...}, "config": {...}|null, "config_path": str|null, "log_level": "DEBUG",
     "result_path", "site_paths": [...]}

and writes ``{"result": ..., "status": true|false|null}`` to the file ``result_path``. Standard output and standard
error belong to the action. Exit code 1: it raised an exception. Exit code 220: its status is neither a bool nor None.

Imports only the standard library: it runs in the virtualenv of any pack.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import inspect
import json
import logging
import os
import sys
import traceback
from types import ModuleType, TracebackType
from typing import Any

from st2common.runners.action_service import ActionService

INVALID_STATUS_EXIT_CODE = 220

_LOG_FORMAT = "%(name)-12s: %(levelname)-8s %(message)s"
_AUDIT = logging.CRITICAL + 10


class InvalidStatus(Exception):
    """The first item of the tuple that run() returned is no status."""


class MissingConfigItem(KeyError, ValueError):
    """The configuration of the pack lacks an item."""

    def __str__(self) -> str:
        return str(self.args[0])


class Config(dict[str, Any]):
    """The configuration of a pack; a missing item names the file in which it should be."""

    def __init__(self, items: dict[str, Any], path: str) -> None:
        super().__init__(items)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise MissingConfigItem(f'Config for the pack has no item "{key}": it belongs into {self._path}')


def main() -> int:
    request = _take_request()
    sys.path[:0] = [path for path in request.get("site_paths") or () if path not in sys.path]
    sys.path.append(os.path.dirname(request["file_path"]))
    _set_up_logging(request.get("log_level") or "DEBUG")
    try:
        value = _instance(request).run(**request["parameters"])
        outcome = _outcome(value)
    except InvalidStatus as error:
        print(error, file=sys.stderr)
        return INVALID_STATUS_EXIT_CODE
    except Exception as error:
        traceback.print_exception(type(error), error, without_our_frames(error.__traceback__, __file__))
        return 1
    # Names of files may hold bytes that are no text; no reader of the result could store them.
    with open(request["result_path"], "w", encoding="utf-8", errors="replace") as file:
        file.write(outcome)
    return 0


def _take_request() -> dict[str, Any]:
    """Read the request, and leave nothing to read to the action and its children."""
    request: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long-lived as the process
    return request


def _set_up_logging(level: str) -> None:
    logging.addLevelName(_AUDIT, "AUDIT")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_LOG_FORMAT))
    logger = logging.getLogger("actions.python")
    logger.addHandler(handler)
    logger.setLevel(level.upper())


def _instance(request: dict[str, Any]) -> Any:
    """The action object, constructed with what its class takes and given the rest afterwards."""
    action_class = action_class_of(load(request["file_path"]))
    service = ActionService(request["pack"], action_class.__name__)
    path = request.get("config_path") or f"configs/{request['pack']}.yaml"
    available = {"config": Config(request.get("config") or {}, path), "action_service": service}
    accepted = _constructor_arguments(action_class)
    action = action_class(**{name: value for name, value in available.items() if accepted is None or name in accepted})
    for name, value in available.items():
        if accepted is not None and name not in accepted:
            setattr(action, name, value)
    return action


def _constructor_arguments(action_class: type) -> set[str] | None:
    """Names that the constructor takes; None: any."""
    parameters = inspect.signature(action_class).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def load(file_path: str) -> ModuleType:
    """Import the file, under its own name where that hides no other module."""
    name = os.path.splitext(os.path.basename(file_path))[0]
    if name in sys.stdlib_module_names or name in sys.modules:
        name = f"action_{name}"
    loader = importlib.machinery.SourceFileLoader(name, file_path)
    spec = importlib.util.spec_from_file_location(name, file_path, loader=loader)
    if spec is None:
        raise ImportError(f'"{file_path}" cannot be imported')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def action_class_of(module: ModuleType) -> type:
    """The first in alphabetical order of the classes that the module itself defines and that can ``run``.

    Raises:
        LookupError: there is none.
    """
    for _, candidate in inspect.getmembers(module, inspect.isclass):
        if candidate.__module__ != module.__name__ or inspect.isabstract(candidate):
            continue
        if callable(getattr(candidate, "run", None)):
            return candidate
    raise LookupError(f'File "{module.__file__}" defines no class with a run() method')


def _outcome(value: Any) -> str:
    """The JSON text of the result file."""
    status = None
    if isinstance(value, tuple) and len(value) == 2:
        status, value = value
        if status is not None and not isinstance(status, bool):
            raise InvalidStatus(
                f"Status returned from the action run() method must either be True, False or None, got: {status!r}"
            )
    try:
        return _json({"result": value, "status": status})
    except (TypeError, ValueError, RecursionError):
        # Existing consumers know this text: it is what is left of the printed pair.
        text = str(value) if status is not None else f"{value!r}, 'status': None}}"
        return _json({"result": text, "status": status})


def _json(value: Any) -> str:
    """JSON as everybody reads it: numbers that are none become null."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except ValueError:
        plain = json.loads(json.dumps(value), parse_constant=lambda _: None)
        return json.dumps(plain, ensure_ascii=False)


def without_our_frames(trace: TracebackType | None, ours: str) -> TracebackType | None:
    """Begin where the code of the pack does; ``ours``: the file of the program that runs it."""
    while trace is not None and (
        trace.tb_frame.f_code.co_filename in (ours, __file__)
        or trace.tb_frame.f_code.co_filename.startswith("<frozen importlib")
    ):
        trace = trace.tb_next
    return trace


if __name__ == "__main__":
    sys.exit(main())
