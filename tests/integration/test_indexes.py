"""The database has the indexes that this release needs, and the command that sees to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from pymongo.database import Database

from st2api import service as api
from st2common.content import registrar
from st2common.models import indexes, schema
from st2common.models.sensor_runs import SensorRuns
from st2common.models.workflow_executions import WorkflowExecutions
from st2common.transport.memory import MemoryTransport


def test_what_daemons_and_registration_make_is_what_is_expected(
    database: Database[dict[str, Any]], memory_transport: MemoryTransport
) -> None:
    api.prepare(database, memory_transport)
    registrar.ensure_indexes()
    WorkflowExecutions(database).ensure_indexes()
    SensorRuns(database).ensure_indexes()
    assert indexes.check(database) == []
    known = indexes.expected()
    for name in database.list_collection_names():
        made = set(database[name].index_information()) - {"_id_"}
        assert made == {index.document["name"] for index in known.get(name, [])}, name


def test_missing_and_different_indexes_are_found_and_made(
    database: Database[dict[str, Any]], database_uri: str, tmp_path: Path
) -> None:
    conf = tmp_path / "st2.conf"
    conf.write_text(f"[database]\nhost = {database_uri}\ndb_name = {database.name}\n")
    database["token_d_b"].create_index([("token_hash", 1)], name="token_hash")

    def st2_db(verb: str) -> tuple[int, str]:
        command = [Path(sys.executable).with_name("st2-db"), verb, "--config-file", str(conf)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout

    code, told = st2_db("check")
    assert code == 1
    assert "token_d_b.token_hash: differs" in told
    assert "action_execution_d_b.status_end: missing" in told
    code, told = st2_db("migrate")
    assert code == 0
    assert "token_d_b.token_hash: made" in told
    told = f"The database has schema version {schema.needed()}, as this release needs it.\nAll indexes are there.\n"
    assert st2_db("check") == (0, told)
    assert st2_db("migrate") == (0, "Nothing was to be done.\n")
