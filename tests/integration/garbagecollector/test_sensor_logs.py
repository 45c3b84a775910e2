from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models import sensors
from st2common.models.sensor_runs import SensorRuns, Status
from st2common.models.sensors import Sensor
from st2common.output.chunk import End
from st2common.output.mongo_log import MongoOutputLog
from st2garbagecollector.kinds import kinds
from st2garbagecollector.purge import Purge
from tests.integration.garbagecollector.conftest import DAY


@pytest.mark.parametrize("there", [True, False])
def test_old_logs_of_sensors_go_and_the_last_one_of_each_that_there_is_stays(
    database: Database[dict[str, Any]], there: bool
) -> None:
    if there:
        sensors.save(Sensor(ref="core.Watch", uid="x", pack="core", name="Watch", file="/x.py", digest="x"))
    runs, log = SensorRuns(database), MongoOutputLog(database)
    log.ensure_indexes()
    ids = [runs.begin("core.Watch", "node", "host", 1, 0) for _ in range(3)]
    for run_id in ids:
        log.finish(End(run_id, 1, 1, "stopped", 0, now_us()))
        runs.end(run_id, Status.STOPPED, 0, None, 0)
    old = {"$set": {"ended_at": now_us() - 3 * DAY}}
    database["sensor_run_d_b"].update_many({"_id": {"$ne": runs.of("core.Watch")[1]["_id"]}}, old)
    assert Purge(kinds(database)["sensor logs"], keep_days=2, interval=1, rest=0).run() is False
    kept = [ids[1], ids[2]] if there else [ids[1]]
    assert [str(run["_id"]) for run in reversed(runs.of("core.Watch"))] == kept
    assert [run_id for run_id in ids if log.end(run_id)] == kept
