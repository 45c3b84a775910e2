"""The sensor container daemon."""

from gevent import monkey

monkey.patch_all()

from oslo_config import cfg  # noqa: E402 - nothing may be imported before the patch
from pymongo.database import Database  # noqa: E402

from st2common import daemon  # noqa: E402
from st2common.errors import ConfigError  # noqa: E402
from st2common.models.connection import Document  # noqa: E402
from st2common.service import Service  # noqa: E402
from st2common.transport.port import Transport  # noqa: E402
from st2reactor.container.service import SensorContainerService  # noqa: E402

_SENSOR = cfg.StrOpt("sensor-ref", help="Run this sensor only (<pack>.<Class>), and end with its exit code.")


def main() -> int:
    containers: list[SensorContainerService] = []

    def build(config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> list[Service]:
        if config.sensorcontainer.single_sensor_mode and not config.sensor_ref:
            raise ConfigError("[sensorcontainer] single_sensor_mode needs --sensor-ref <pack>.<Class>")
        service = SensorContainerService(
            config=config, database=database, transport=transport, single_sensor=config.sensor_ref
        )
        containers.append(service)
        return [service]

    code = daemon.main("st2sensorcontainer", build, cli=[_SENSOR])
    return code or (containers[0].exit_code if containers else 0)
