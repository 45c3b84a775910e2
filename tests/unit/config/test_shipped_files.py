from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import st2common
from st2common import config as configuration
from st2ctl.daemons import COMPONENTS, LISTENS

SHIPPED = Path(st2common.__file__).parent / "conf"


def test_the_sample_is_what_the_generator_makes_of_the_options(tmp_path: Path) -> None:
    generator = Path(sys.executable).parent / "oslo-config-generator"
    made = tmp_path / "st2.conf.sample"
    subprocess.run([generator, "--namespace", "st2", "--output-file", made], check=True, timeout=60)
    assert (SHIPPED / "st2.conf.sample").read_text() == made.read_text()


def test_the_shipped_file_loads_and_streams(caplog: pytest.LogCaptureFixture) -> None:
    config = configuration.load(["--config-file", str(SHIPPED / "st2.conf")], "st2test")
    assert config.actionrunner.stream_output is True
    with caplog.at_level(logging.INFO):
        configuration.report(config)
    assert caplog.records == []


@pytest.mark.parametrize("name", ["st2.conf", "docker/st2.conf"])
def test_every_daemon_without_http_is_offered_a_port_for_monitoring(name: str, tmp_path: Path) -> None:
    offered = tmp_path / "st2.conf"
    offered.write_text((SHIPPED / name).read_text().replace("#ports = ", "ports = "))
    ports = configuration.load(["--config-file", str(offered)], "st2test").monitoring.ports
    assert set(ports) == set(COMPONENTS) - set(LISTENS)
    assert len(set(ports.values())) == len(ports)
