"""A sensor that looks every few seconds, and goes on where it was when it is started again."""

from st2reactor.sensor.base import PollingSensor


class SamplePollingSensor(PollingSensor):
    def setup(self) -> None:
        self._count = int(self.sensor_service.get_value("count") or 0)

    def poll(self) -> None:
        self._count += 1
        self.sensor_service.set_value("count", self._count)
        self.sensor_service.dispatch(trigger="examples.counted", payload={"count": self._count})
        print(f"Looked {self._count} times")
