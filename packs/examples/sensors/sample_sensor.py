"""A sensor that emits an event every few seconds and tells about it in its log."""

import time
from datetime import UTC, datetime

from st2reactor.sensor.base import Sensor

# Seconds between two events.
INTERVAL = 5


class SampleSensor(Sensor):
    def setup(self) -> None:
        self._logger = self.sensor_service.get_logger("events")

    def run(self) -> None:
        while True:
            executed_at = datetime.now(UTC).isoformat(sep=" ")
            self.sensor_service.dispatch(trigger="examples.event", payload={"executed_at": executed_at})
            self._logger.info("Sent an event of %s", executed_at)
            time.sleep(INTERVAL)
