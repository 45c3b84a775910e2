from st2reactor.sensor.base import PollingSensor


class BeaconWatch(PollingSensor):
    def setup(self):
        self._told = self.sensor_service.get_value("told")

    def poll(self):
        if not self._told:
            self.sensor_service.dispatch(trigger="beacon.lit", payload={"place": "north"})
            self.sensor_service.set_value("told", "yes")
            self._told = "yes"

    def cleanup(self):
        pass

    def add_trigger(self, trigger):
        pass

    def update_trigger(self, trigger):
        pass

    def remove_trigger(self, trigger):
        pass
