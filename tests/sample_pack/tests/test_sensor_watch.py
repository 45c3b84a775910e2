from st2tests.base import BaseSensorTestCase
from watch import BeaconWatch


class BeaconWatchTestCase(BaseSensorTestCase):
    sensor_cls = BeaconWatch

    def test_it_tells_once(self):
        sensor = self.get_sensor_instance(config={}, poll_interval=1)
        sensor.setup()
        sensor.poll()
        sensor.poll()
        self.assertEqual(len(self.get_dispatched_triggers()), 1)
        self.assertTriggerDispatched(trigger="beacon.lit", payload={"place": "north"})
        with self.assertRaises(AssertionError):
            self.assertTriggerDispatched(trigger="beacon.lit", payload={"place": "south"})
