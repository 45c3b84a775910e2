"""Wrong usage of st2ctl: exit code 1 and a sentence that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from st2ctl.main import main


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["restart-component"], ["restart-component", "st2nonsense"], ["reload", "--register-nonsense"]],
)
def test_wrong_usage_exits_with_1(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 1
    assert "usage: st2ctl" in capsys.readouterr().err


def test_help_says_how_the_platform_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "/etc/st2/st2.conf" in capsys.readouterr().out


def test_the_place_may_stand_before_or_after_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--var", str(tmp_path), "status"], ["status", "--var", str(tmp_path)]):
        assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "##### st2 components status #####"
    assert "st2api is not running." in lines
    assert (tmp_path / "st2.conf").exists()


@pytest.mark.parametrize("before", [True, False])
def test_the_same_of_the_standalone_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], before: bool) -> None:
    place = ["--var", str(tmp_path)]
    words = ["standalone", "status"]
    assert main([*place, *words] if before else [*words, *place]) == 0
    assert "is not running" in capsys.readouterr().out
    assert (tmp_path / "st2.conf").exists()


def test_a_configuration_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--config-file", str(tmp_path / "none.conf")]) == 2
    assert "none.conf" in capsys.readouterr().err


def test_a_configuration_with_a_wrong_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "st2.conf"
    conf.write_text("[api]\nport = many\n")
    assert main(["status", "--config-file", str(conf)]) == 2
    assert f"{conf}: [api] port" in capsys.readouterr().err
