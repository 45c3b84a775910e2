from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

from st2common import config as configuration
from st2common.config.clients import connect_database
from st2common.errors import ConfigError
from st2common.models import connection


@pytest.fixture(autouse=True)
def _disconnected() -> Iterator[None]:
    yield
    connection.disconnect()


def config_of(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    conf = tmp_path / "st2.conf"
    conf.write_text(f"[database]\ndb_name = clients\n{text}")
    return configuration.load(["--config-file", str(conf)], "st2test")


def test_a_database_that_answers(tmp_path: Path, database_uri: str) -> None:
    database = connect_database(config_of(tmp_path, f"host = {database_uri}\n"))
    assert database.name == "clients"
    assert database["anything"].find_one({}) is None


def test_wrong_credentials_are_told_and_not_tried_for_ever(tmp_path: Path, database_uri: str) -> None:
    config = config_of(tmp_path, f"host = {database_uri}\nusername = nobody\npassword = secret-word\n")
    with pytest.raises(ConfigError, match="refuses username and password") as caught:
        connect_database(config)
    assert "secret-word" not in str(caught.value)
