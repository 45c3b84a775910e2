"""``GET /sensortypes/<ref>/output``: what a sensor prints, in the form of an execution's output.

Query: ``run`` (the id of a run; without, the last one), ``after`` (the run behind the one with this id), and that of
:mod:`.execution_output`. The header ``X-St2-Run-Id`` says which run it is. A log that was full ends with the status
``continued``: the next one is there under ``after``.
"""

from __future__ import annotations

from flask import Blueprint, Response
from pymongo.database import Database

from st2common.errors import NotFound
from st2common.http import query
from st2common.http.authorization import needs, require
from st2common.models.connection import Document
from st2common.models.sensor_runs import SensorRuns
from st2common.rbac.resolution import content_uids
from st2common.services.sensors import get_sensor
from st2stream.execution_output import output_stream
from st2stream.feeds import FeedHub, Subject

#: In the place of a runner's name in the documents of the stream.
RUNNER = "sensor"


def blueprint(feeds: FeedHub, database: Database[Document], keep_alive: float) -> Blueprint:
    """``feeds``: of the logs of sensors. ``keep_alive``: seconds of silence after which a comment is sent."""
    routes = Blueprint("sensor_output", __name__)
    runs = SensorRuns(database)

    @routes.get("/sensortypes/<ref_or_id>/output")
    @needs("stream_view")
    def output(ref_or_id: str) -> Response:
        sensor = get_sensor(ref_or_id)
        require("sensor_type_view", *content_uids(sensor))
        run = _find(runs, sensor["ref"])
        subject = Subject(str(run["_id"]), sensor["ref"], RUNNER)
        response = output_stream(feeds, subject, keep_alive)
        response.headers["X-St2-Run-Id"] = subject.execution_id
        return response

    return routes


def _find(runs: SensorRuns, reference: str) -> Document:
    """The run that is asked for.

    Raises:
        NotFound: there is none.
    """
    known = runs.of(reference)
    if wanted := query.text("run"):
        known = [run for run in known if str(run["_id"]) == wanted]
    elif earlier := query.text("after"):
        # Ids grow with time; the last one comes first.
        known = [run for run in known if str(run["_id"]) > earlier][-1:]
    if not known:
        raise NotFound(f'Sensor "{reference}" has no such run, or has not run yet: is it enabled?')
    return known[0]
