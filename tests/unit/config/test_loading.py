from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg

from st2common import config as configuration
from st2common.config.options import list_opts, list_unused
from st2common.errors import ConfigError


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "st2.conf"


def load(conf: Path) -> cfg.ConfigOpts:
    return configuration.load(["--config-file", str(conf)], "st2test")


def test_defaults_without_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("st2common.config.loading.DEFAULT_FILE", tmp_path / "absent.conf")
    config = configuration.load([], "st2test")
    assert config.actionrunner.stream_output is False
    assert (config.api.host, config.api.port, config.stream.port) == ("127.0.0.1", 9101, 9102)
    assert config.system.state_path == "/var/lib/st2"
    assert config.garbagecollector.action_executions_ttl is None


def test_the_default_file_is_read_when_it_exists(monkeypatch: pytest.MonkeyPatch, conf: Path) -> None:
    conf.write_text("[api]\nport = 7\n")
    monkeypatch.setattr("st2common.config.loading.DEFAULT_FILE", conf)
    assert configuration.load([], "st2test").api.port == 7


def test_a_named_file_wins_over_the_environment_and_both_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named, by_environment, default = (tmp_path / name for name in ("a.conf", "b.conf", "c.conf"))
    for port, file in enumerate((named, by_environment, default), start=1):
        file.write_text(f"[api]\nport = {port}\n")
    monkeypatch.setattr("st2common.config.loading.DEFAULT_FILE", default)
    monkeypatch.setenv("ST2_CONFIG_PATH", str(by_environment))
    assert load(named).api.port == 1
    assert configuration.load([], "st2test").api.port == 2


def test_environment_variables_override_the_file(monkeypatch: pytest.MonkeyPatch, conf: Path) -> None:
    conf.write_text("[actionrunner]\nstream_output = False\n[api]\nport = 1\n")
    monkeypatch.setenv("ST2_ACTIONRUNNER__STREAM_OUTPUT", "true")
    monkeypatch.setenv("ST2_MESSAGING__CLUSTER_URLS", "amqp://a,amqp://b")
    config = load(conf)
    assert config.actionrunner.stream_output is True
    assert config.messaging.cluster_urls == ["amqp://a", "amqp://b"]
    assert config.api.port == 1


@pytest.mark.parametrize(
    ("group", "option", "value"),
    [
        ("api", "port", "many"),
        ("api", "port", "70000"),
        ("actionrunner", "stream_output", "perhaps"),
        ("actionrunner", "output_flush_interval", "-1"),
        ("garbagecollector", "action_executions_ttl", "a week"),
        # Known and not used: a file is as right or wrong as it is elsewhere.
        ("scheduler", "pool_size", "x"),
        ("auth", "mode", "none"),
    ],
)
def test_a_wrong_value_is_one_line_with_file_group_and_option(conf: Path, group: str, option: str, value: str) -> None:
    conf.write_text(f"[{group}]\n{option} = {value}\n")
    with pytest.raises(ConfigError) as caught:
        load(conf)
    assert str(caught.value).startswith(f"{conf}: [{group}] {option} must be of type ")
    assert len(str(caught.value).splitlines()) == 1


def test_all_wrong_values_are_told_at_once(conf: Path) -> None:
    conf.write_text("[api]\nport = x\n[stream]\nheartbeat = y\n")
    with pytest.raises(ConfigError) as caught:
        load(conf)
    assert len(str(caught.value).splitlines()) == 2


def test_a_wrong_value_of_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch, conf: Path) -> None:
    conf.write_text("")
    monkeypatch.setenv("ST2_STREAM__PORT", "x")
    with pytest.raises(ConfigError, match=r"^environment variable ST2_STREAM__PORT: \[stream\] port "):
        load(conf)


def test_a_secret_is_not_quoted(conf: Path) -> None:
    conf.write_text("[database]\npassword = pa$sword\n")
    with pytest.raises(ConfigError) as caught:
        load(conf)
    assert "sword" not in str(caught.value).replace("] password", "")


@pytest.mark.parametrize("text", ["port = 1\n", "[api\nport = 1\n", "\xff\xfe"])
def test_a_file_that_is_no_configuration(conf: Path, text: str) -> None:
    conf.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"st2\.conf|cannot be read"):
        load(conf)


def test_a_named_file_that_is_not_there(conf: Path) -> None:
    with pytest.raises(ConfigError, match=str(conf)):
        load(conf)


def test_a_file_that_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_no_option_is_declared_twice() -> None:
    names = [(group, option.dest) for group, options in [*list_opts(), *list_unused()] for option in options]
    assert len(names) == len(set(names))


def test_every_option_that_is_used_is_explained() -> None:
    assert [(group, option.name) for group, options in list_opts() for option in options if not option.help] == []
