"""The base classes of sensors: what packs import.

The container calls, in this order: the constructor, ``setup``, ``add_trigger`` for each trigger of the sensor's types
that there is already, ``run``, and ``cleanup`` when the process is asked to end. A sensor that returns from ``run`` has
done all that there was to do; one that raises is started again.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Mapping
from typing import Any

from st2reactor.sensor.service import SensorService

Config = Mapping[str, Any]
#: ``{id, ref, uid, name, pack, type, parameters}``
Trigger = dict[str, Any]


class Sensor(abc.ABC):
    """A sensor that waits for events by itself: ``run`` does not return as long as there is something to wait for."""

    def __init__(self, sensor_service: SensorService, config: Config | None = None) -> None:
        self._sensor_service = sensor_service
        self._config: Config = config if config is not None else {}

    @property
    def sensor_service(self) -> SensorService:
        return self._sensor_service

    @property
    def config(self) -> Config:
        """The configuration of the pack. A missing item names the file in which it should be."""
        return self._config

    def setup(self) -> None:  # noqa: B027 - there may be nothing to do
        """Called once, before anything else."""

    @abc.abstractmethod
    def run(self) -> None:
        """Wait for events, and ``self.sensor_service.dispatch`` each."""

    def cleanup(self) -> None:  # noqa: B027
        """Called when the process is asked to end, from whatever ``run`` does at that moment."""

    def add_trigger(self, trigger: Trigger) -> None:  # noqa: B027
        """There is a trigger of one of the sensor's types: somebody waits for it."""

    def update_trigger(self, trigger: Trigger) -> None:  # noqa: B027
        """The parameters of a trigger have changed."""

    def remove_trigger(self, trigger: Trigger) -> None:  # noqa: B027
        """Nobody waits for this trigger any more."""


class PollingSensor(Sensor):
    """A sensor that looks every few seconds."""

    def __init__(
        self, sensor_service: SensorService, config: Config | None = None, poll_interval: float | None = 5
    ) -> None:
        """``poll_interval``: seconds from the end of one look to the next."""
        super().__init__(sensor_service, config)
        self._poll_interval = poll_interval or 5

    @abc.abstractmethod
    def poll(self) -> None:
        """Look once, and ``self.sensor_service.dispatch`` what there is to tell."""

    def run(self) -> None:
        while True:
            self.poll()
            time.sleep(self.get_poll_interval())

    def get_poll_interval(self) -> float:
        return self._poll_interval

    def set_poll_interval(self, poll_interval: float) -> None:
        """Holds from the next look on."""
        self._poll_interval = poll_interval
