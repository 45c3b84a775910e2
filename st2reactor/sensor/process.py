"""Loads one sensor and runs it: the program of its process.

``python -m st2reactor.sensor.process <calls> <orders>``: the descriptors of the two sockets of :mod:`.channel`. The
first order is what to run::

    {"pack", "class_name", "file_path", "config": {...}, "config_path", "poll_interval": null | seconds,
     "site_paths": [...], "triggers": [{...}, ...]}

Exit codes: 0 when the sensor has returned from ``run`` or was asked to end, 1 when it could not be loaded or raised.
Standard output and standard error are the sensor's log.
"""

from __future__ import annotations

import inspect
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from st2common.runners.python_action import Config, load, without_our_frames
from st2reactor.sensor.base import Sensor
from st2reactor.sensor.channel import Calls, ContainerGone, Refused, read
from st2reactor.sensor.service import SensorService

LOG = logging.getLogger(__name__)

_LOG_FORMAT = "%(name)-12s: %(levelname)-8s %(message)s"
_ORDERS = ("add_trigger", "update_trigger", "remove_trigger")
# Characters of an error that is told to the container; the whole of it is in the log.
_MAX_ERROR = 1000


class Stop(BaseException):
    """The container, or whoever sends SIGTERM, wants this process to end. No sensor catches it by accident."""


def main() -> int:
    calls = Calls(int(sys.argv[1]))
    orders = socket.socket(fileno=int(sys.argv[2])).makefile("rb")
    order = read(orders)
    if order is None:
        return 0
    _set_up_logging()
    signal.signal(signal.SIGTERM, _on_signal)
    # That of a terminal is for the container, which ends its sensors in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sensor = None
    try:
        sensor = _make(order, calls)
        _run(sensor, order, orders)
    except Stop:
        _clean_up(sensor)
        _leave(0)
    except ContainerGone:
        _clean_up(sensor)
        _leave(1)
    except Exception as error:
        traceback.print_exception(type(error), error, without_our_frames(error.__traceback__, __file__))
        _tell_failure(calls, error)
        _leave(1)
    # Threads of its own may go on: the process ends with the last of them.
    return 0


def _run(sensor: Any, order: dict[str, Any], orders: BinaryIO) -> None:
    sensor.setup()
    for trigger in order["triggers"]:
        _obey(sensor, "add_trigger", trigger)
    threading.Thread(target=_take_orders, args=(sensor, orders), name="orders", daemon=True).start()
    sensor.run()


def _make(order: dict[str, Any], calls: Calls) -> Any:
    """The sensor object, constructed with what its class takes.

    Raises:
        Exception: whatever is wrong with the file or the class.
    """
    sys.path[:0] = [path for path in order["site_paths"] if path not in sys.path]
    sys.path.append(str(Path(order["file_path"]).parent))
    name = order["class_name"]
    sensor_class = getattr(load(order["file_path"]), name, None)
    if not inspect.isclass(sensor_class):
        raise LookupError(f'File "{order["file_path"]}" defines no class "{name}"')
    available = {
        "sensor_service": SensorService(order["pack"], name, calls),
        "config": Config(order["config"], order["config_path"]),
    }
    if order["poll_interval"] is not None:
        available["poll_interval"] = order["poll_interval"]
    parameters = inspect.signature(sensor_class).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return sensor_class(**{key: value for key, value in available.items() if takes_all or key in parameters})


def _take_orders(sensor: Sensor, orders: BinaryIO) -> None:
    while (message := read(orders)) is not None:
        _obey(sensor, message["order"], message["trigger"])
    # Nobody is there who would take an event or store a line.
    os.kill(os.getpid(), signal.SIGTERM)


def _obey(sensor: Sensor, order: str, trigger: dict[str, Any]) -> None:
    if order not in _ORDERS:
        LOG.warning("An order that is not known: %s", order)
        return
    try:
        getattr(sensor, order)(trigger)
    except Exception:
        LOG.exception("%s of %s failed", order, trigger.get("ref"))


def _on_signal(_number: int, _frame: object) -> None:
    # The next one ends the process as it ends any: a sensor may hang in its cleanup.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Stop


def _clean_up(sensor: Any) -> None:
    if sensor is None:
        return
    try:
        sensor.cleanup()
    except Exception:
        LOG.exception("cleanup failed")


def _tell_failure(calls: Calls, error: Exception) -> None:
    text = f"{type(error).__name__}: {error}"[:_MAX_ERROR]
    try:
        calls.call("failed", error=text)
    except (ContainerGone, Refused):
        LOG.info("Nobody is there to be told")


def _leave(code: int) -> None:
    """End at once, whatever threads the sensor has."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _set_up_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_LOG_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


if __name__ == "__main__":
    sys.exit(main())
