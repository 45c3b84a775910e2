"""What a shell completes of the command ``st2``."""

from __future__ import annotations

import subprocess

import pytest

from st2cli.shell import main


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", "bash"]) == 0
    return capsys.readouterr().out


def _completed(script: str, line: str) -> list[str]:
    asked = f'{script}\nCOMP_LINE="$1"; COMP_POINT=${{#1}}; _st2; printf "%s\\n" "${{COMPREPLY[@]}}"'
    run = subprocess.run(["bash", "-c", asked, "bash", line], capture_output=True, text=True, check=True)
    assert not run.stderr
    return run.stdout.split()


def test_bash_accepts_the_script(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("st2 exec", ["execution"]),
        ("st2 execution t", ["tail"]),
        ("st2 --url http://here:80 execution ta", ["tail"]),
        ("st2 execution -j ta", ["tail"]),
        ("st2 execution tail --no-f", ["--no-follow"]),
        ("st2 execution tail last --no-f", ["--no-follow"]),
        ("st2 service-registry gr", ["group"]),
        ("st2 service-registry group l", ["list"]),
        ("st2 run --ta", ["--tail"]),
        ("st2 completion ", ["bash", "zsh", "--help"]),
        ("st2 --config-file ", []),
        ("st2 nonsense ", []),
    ],
)
def test_bash_completes(script: str, line: str, found: list[str]) -> None:
    assert _completed(script, line) == found


def test_the_script_for_zsh_ends_with_its_registration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("compdef _st2 st2")
