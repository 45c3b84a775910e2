"""``st2 sensor``: what watches other systems, whether it runs, and what it says."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.commands import sensor_log, watching
from st2cli.commands.resources import Resource

_SENSORS = Resource(
    path="/sensortypes",
    singular="sensor",
    plural="sensors",
    listed=("ref", "enabled", "run.status", "run.started_at", "description"),
    shown=(
        *("id", "ref", "pack", "name", "description", "enabled", "entry_point", "poll_interval", "trigger_types"),
        *("run.status", "run.error", "run.pid", "run.node", "run.host", "run.exit_code", "run.failures"),
        *("run.started_at", "run.ended_at"),
    ),
    filters={"pack": "only the sensors of this pack", "trigger": "only the sensors that emit this trigger type"},
    word="sensor",
    sample="examples.SampleSensor",
)


def _configure_tail(parser: ArgumentParser) -> None:
    parser.add_argument("ref", help="<pack>.<Class>, or the id")
    watching.add_view_options(parser)


def _tail(args: Namespace, session: Session) -> int:
    return sensor_log.watch(session, args.ref, args)


_CHANGING = _SENSORS.changing()
VERBS = {
    **_SENSORS.reading(),
    "enable": _CHANGING["enable"],
    "disable": _CHANGING["disable"],
    "tail": Command(
        "watch what a sensor says",
        _configure_tail,
        _tail,
        description=(
            "Shows what the process of a sensor has printed and logged so far, then what it prints, until the process\n"
            "ends. A broken connection is resumed where it was. Exits with 0 when the sensor ended in order."
        ),
        examples=(
            "  st2 sensor tail examples.SampleSensor\n"
            "  st2 sensor tail examples.SampleSensor --grep 'error|warn'\n"
            "  st2 sensor tail examples.SampleSensor --no-follow --raw > sensor.log"
        ),
    ),
}
