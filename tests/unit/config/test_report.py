from __future__ import annotations

import logging
from pathlib import Path

import pytest

from st2common import config as configuration


def report(conf: Path, caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    config = configuration.load(["--config-file", str(conf)], "st2test")
    with caplog.at_level(logging.INFO, logger="st2common.config"):
        configuration.report(config)
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name.startswith("st2common")]


def test_an_unknown_option_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    conf = tmp_path / "st2.conf"
    conf.write_text("[api]\nprot = 9101\n[nowhere]\nport = 1\n")
    assert report(conf, caplog) == [
        ("WARNING", f"{conf}: [api] prot is not an option: ignored"),
        ("WARNING", f"{conf}: [nowhere] port is not an option: ignored"),
    ]


def test_a_known_option_that_is_not_used_is_a_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    conf = tmp_path / "st2.conf"
    conf.write_text("[scheduler]\npool_size = 5\n[api]\nport = 1\n")
    assert report(conf, caplog) == [("INFO", f"{conf}: [scheduler] pool_size is known but not used: ignored")]


def test_the_file_of_an_existing_installation_loads_without_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    conf = Path(__file__).parent / "existing.conf"
    assert [message for level, message in report(conf, caplog) if level == "WARNING"] == []
    config = configuration.load(["--config-file", str(conf)], "st2test")
    assert config.database.host == "mongodb://db1:27017,db2:27017/?replicaSet=st2"
    assert config.actionrunner.stream_output is True
    assert config.garbagecollector.action_executions_ttl == 30
    assert config.sensorcontainer.partition_provider == {"name": "hash", "hash_ranges": "MIN..1024|2048..MAX"}
