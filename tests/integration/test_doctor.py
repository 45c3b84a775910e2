"""What ``st2ctl doctor`` finds in a platform that is not well, and what it says to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import amqp
import pytest
from kombu.utils.url import parse_url
from pymongo.database import Database

from st2common.models import schema
from st2common.service import StatusFile
from st2common.transport.amqp import AmqpTransport
from st2common.transport.topology import EXECUTIONS_TO_RUN, TRIGGER_INSTANCES, WORKFLOWS_TO_ADVANCE
from st2ctl.daemons import COMPONENTS
from tests.conditions import eventually

QUEUES = (EXECUTIONS_TO_RUN, WORKFLOWS_TO_ADVANCE, TRIGGER_INSTANCES)


class Patient:
    def __init__(self, database: Database[dict[str, Any]], database_uri: str, broker_url: str, place: Path) -> None:
        self.packs = place / "base" / "packs"
        self.packs.mkdir(parents=True)
        self.virtual_environments = place / "base" / "virtualenvs"
        self._conf = place / "st2.conf"
        self._conf.write_text(
            f"[system]\nstate_path = {place}\nbase_path = {place / 'base'}\n[content]\n"
            f"system_packs_base_path = {self.packs}\n[messaging]\nurl = {broker_url}\n"
            f"[database]\nhost = {database_uri}\ndb_name = {database.name}\n[system_user]\nuser = root\n"
        )

    def findings(self, check: str) -> dict[str, tuple[str, str]]:
        """{text: (state, advice)}"""
        words = [str(Path(sys.executable).with_name("st2ctl")), "doctor", "-j", "--config-file", str(self._conf)]
        examined = subprocess.run(words, capture_output=True, text=True, timeout=60)
        found = json.loads(examined.stdout)
        assert examined.returncode == int(any(each["state"] == "problem" for each in found))
        return {each["text"]: (each["state"], each["advice"]) for each in found if each["check"] == check}


@pytest.fixture
def patient(
    database: Database[dict[str, Any]], database_uri: str, rabbitmq_url: str, tmp_path: Path
) -> Iterator[Patient]:
    yield Patient(database, database_uri, rabbitmq_url, tmp_path)
    delete_queues(rabbitmq_url)


def delete_queues(url: str) -> None:
    parts = parse_url(url)
    with amqp.Connection(f"{parts['hostname']}:{parts['port']}") as connection:
        for queue in QUEUES:
            connection.channel().queue_delete(queue.name)


def test_queues(patient: Patient, rabbitmq_url: str) -> None:
    delete_queues(rabbitmq_url)
    missing = patient.findings("queues")
    assert missing["st2.actionrunner.work does not exist"] == (
        "warning",
        "start st2actionrunner on some host: it makes the queue",
    )
    assert len(missing) == len(QUEUES)
    transport = AmqpTransport(rabbitmq_url)
    try:
        transport.declare(*QUEUES)
        transport.publish(EXECUTIONS_TO_RUN.exchange, EXECUTIONS_TO_RUN.routing_key, {"v": 1, "execution_id": "1"})
        alone = patient.findings("queues")
        state, advice = alone["st2.actionrunner.work: 1 messages wait, 0 consumers"]
        assert (state, advice.startswith("start st2actionrunner on some host")) == ("problem", True)
        assert alone["st2.workflow.work: 0 messages wait, 0 consumers"][0] == "warning"
        consumer = transport.consume(EXECUTIONS_TO_RUN, lambda delivery: delivery.ack(), prefetch=1)
        well = ("ok", "")
        eventually(
            lambda: patient.findings("queues").get("st2.actionrunner.work: 0 messages wait, 1 consumers") == well,
            timeout=30,
        )
        consumer.stop()
    finally:
        transport.close()


def test_virtual_environments_of_packs(patient: Patient) -> None:
    for name, needs in (("missing", True), ("broken", True), ("without", False)):
        (patient.packs / name).mkdir()
        (patient.packs / name / "pack.yaml").write_text(f"name: {name}\n")
        if needs:
            (patient.packs / name / "requirements.txt").write_text("six\n")
    broken = patient.virtual_environments / "broken" / "bin"
    broken.mkdir(parents=True)
    # What stays when the Python of the system is replaced by another version.
    (broken / "python").symlink_to("/nowhere/python3.7")
    found = {text: told for text, told in patient.findings("packs").items() if "virtual environment" in text}
    assert found == {
        f"missing: its virtual environment {patient.virtual_environments / 'missing'} is missing": (
            "problem",
            "st2-pack-setup-virtualenv missing",
        ),
        f"broken: its virtual environment {patient.virtual_environments / 'broken'} does not work": (
            "problem",
            "st2-pack-setup-virtualenv broken",
        ),
    }


def test_daemons_that_are_missing(patient: Patient, tmp_path: Path) -> None:
    assert patient.findings("daemons") == {"none runs on this host": ("warning", "st2ctl start")}
    status = StatusFile(tmp_path, "st2api")
    status.write(ready=True, health=None)
    found = patient.findings("daemons")
    status.remove()
    assert found.pop(f"st2api (pid {os.getpid()}): healthy") == ("ok", "")
    missing = {f"{name} is not running": ("problem", "st2ctl start") for name in COMPONENTS if name != "st2api"}
    assert found == missing


def test_a_database_of_another_release(patient: Patient, database: Database[dict[str, Any]]) -> None:
    assert patient.findings("database")[f"schema version {schema.needed()}"] == ("ok", "")
    assert database.list_collection_names() == [], "the doctor only looks"
    database[schema.COLLECTION].insert_one({"_id": "schema", "version": 1000})
    [(state, advice)] = [told for text, told in patient.findings("database").items() if "version 1000" in text]
    assert (state, advice) == ("problem", "install the later release on this host")
