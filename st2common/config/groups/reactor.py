"""What brings events into the platform: sensors and timers."""

from __future__ import annotations

from oslo_config import cfg

from st2common.config.groups.logfile import logging_file

GROUPS: dict[str, list[cfg.Opt]] = {
    "sensorcontainer": [
        cfg.StrOpt(
            "sensor_node_name",
            default="sensornode1",
            help="Name of the node whose sensors a container runs. Of several containers with one name, one works.",
        ),
        cfg.DictOpt(
            "partition_provider",
            default={"name": "default"},
            help="Which sensors this node runs: name:default (all), name:kvstore, name:file with "
            "partition_file:<path>, or name:hash with hash_ranges:<from>..<to>|<from>..<to>.",
        ),
        cfg.BoolOpt("single_sensor_mode", default=False, help="Refuse to run without --sensor-ref."),
        logging_file("sensorcontainer"),
    ],
    "timersengine": [
        cfg.BoolOpt("enable", default=True, help="Whether the rules engine makes timers fire."),
    ],
}
