"""The version of what the database holds: checked at every start, brought up to date by ``st2-db``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from st2common.errors import ConfigError
from st2common.models import schema

Stored = Database[dict[str, Any]]


@pytest.fixture
def conf(database: Stored, database_uri: str, tmp_path: Path) -> Path:
    path = tmp_path / "st2.conf"
    path.write_text(
        f"[system]\nstate_path = {tmp_path}\n[database]\nhost = {database_uri}\ndb_name = {database.name}\n"
    )
    return path


def run(name: str, *arguments: str, conf: Path) -> subprocess.CompletedProcess[str]:
    words = [str(Path(sys.executable).with_name(name)), *arguments, "--config-file", str(conf)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def rename_field(database: Stored) -> None:
    database["things"].update_many({}, {"$rename": {"old": "new"}})


@pytest.fixture
def later_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", {2: rename_field, 3: lambda database: None})


def test_a_new_database_is_of_this_release(database: Stored) -> None:
    schema.require_ours(database)
    assert schema.stored(database) == schema.needed()


@pytest.mark.usefixtures("later_release")
def test_a_new_database_of_a_later_release_needs_no_migration(database: Stored) -> None:
    schema.require_ours(database)
    assert schema.stored(database) == 3
    assert schema.migrate(database) == []


@pytest.mark.usefixtures("later_release")
def test_a_database_that_is_older_than_its_record_is_migrated(database: Stored) -> None:
    database["things"].insert_one({"_id": 1, "old": "kept"})
    with pytest.raises(ConfigError, match="schema version 1, this release needs 3: run st2-db migrate"):
        schema.require_ours(database)
    assert schema.migrate(database) == [2, 3]
    assert list(database["things"].find()) == [{"_id": 1, "new": "kept"}]
    schema.require_ours(database)
    assert schema.migrate(database) == []


def test_a_migration_that_was_cut_off_begins_again(database: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    database["things"].insert_many([{"_id": 1, "old": "kept"}, {"_id": 2, "old": "too"}])

    def cut_off(database: Stored) -> None:
        database["things"].update_one({"_id": 1}, {"$rename": {"old": "new"}})
        raise ConnectionError

    monkeypatch.setattr(schema, "MIGRATIONS", {2: cut_off})
    with pytest.raises(ConnectionError):
        schema.migrate(database)
    monkeypatch.setattr(schema, "MIGRATIONS", {2: rename_field})
    assert schema.migrate(database) == [2]
    assert list(database["things"].find()) == [{"_id": 1, "new": "kept"}, {"_id": 2, "new": "too"}]


@pytest.mark.parametrize(
    "command",
    ["st2rulesengine", "st2api", "st2-register-content", "st2-purge-tokens --timestamp 2026-01-01T00:00:00.000000Z"],
)
def test_nobody_works_on_a_database_of_a_later_release(command: str, database: Stored, conf: Path) -> None:
    database[schema.COLLECTION].insert_one({"_id": "schema", "version": 1000})
    database["things"].insert_one({"_id": 1})
    refused = run(*command.split(), conf=conf)
    assert refused.returncode == 2
    assert "schema version 1000, of a later release" in refused.stderr
    assert "install the later release on this host" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert set(database.list_collection_names()) == {schema.COLLECTION, "things"}


def test_the_command_leaves_a_later_database_alone_and_says_so(database: Stored, conf: Path) -> None:
    database[schema.COLLECTION].insert_one({"_id": "schema", "version": 1000})
    migrated = run("st2-db", "migrate", conf=conf)
    assert migrated.returncode == 2
    assert "install the later release" in migrated.stderr
    assert database.list_collection_names() == [schema.COLLECTION]
    checked = run("st2-db", "check", "-j", conf=conf)
    assert checked.returncode == 1
    found = json.loads(checked.stdout)
    assert (found["version"], found["needed"]) == (1000, schema.needed())
    assert found["indexes"]
