"""Packs as people install, configure, use and remove them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform, lines_of
from tests.repositories import bare_repository

FILES = {
    "pack.yaml": "ref: demo\nname: Demo\ndescription: x\nversion: 1.0.0\nauthor: Me\nemail: me@example.com\n",
    "config.schema.yaml": "token: {type: string, secret: true}\nurl: {type: string, default: http://x}\n",
    "actions/show.yaml": "name: show\nrunner_type: python-script\nentry_point: show.py\n",
    "actions/show.py": (
        "import six\nfrom st2common.runners.base_action import Action\n"
        "class Show(Action):\n"
        "    def run(self):\n"
        "        print('token', self.config['token'])\n"
        "        return [six.__name__, self.config['url']]\n"
    ),
    "actions/shell.yaml": (
        "name: shell\nrunner_type: local-shell-cmd\nparameters:\n"
        "  cmd: {default: 'echo {{config_context.token}} {{config_context.url}}', immutable: true}\n"
    ),
}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(tmp_path / "var", ["standalone"])
    with platform.running():
        yield platform


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare repository of a pack."""
    work = tmp_path / "work"
    for name, text in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    return bare_repository(work, "demo.git", "v1.0.0")


def test_a_pack_from_a_repository(platform: Platform, repository: Path, tmp_path: Path) -> None:
    installed = platform.st2("pack", "install", f"file://{repository}=1.0.0")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert any("Successfully installed six" in line for line in lines_of(installed.stdout))
    assert installed.stdout.splitlines()[-1].split() == ["demo", "Demo", "x", "1.0.0", "Me"]

    (tmp_path / "values.yaml").write_text("token: s3cr3t-t0ken\n")
    assert "s3cr3t" not in platform.st2("pack", "config", "demo", "--file", str(tmp_path / "values.yaml")).stdout
    shown = json.loads(platform.st2("run", "-j", "demo.show").stdout)
    assert shown["result"]["result"] == ["six", "http://x"]
    assert shown["result"]["stdout"] == "token ********\n"
    shell = json.loads(platform.st2("run", "-j", "demo.shell").stdout)
    assert shell["result"]["stdout"] == "******** http://x"

    failed = platform.st2("pack", "install", f"file://{repository}=9.9.9")
    assert failed.returncode == 1
    assert 'no tag, branch or commit "9.9.9"' in failed.stderr
    removed = platform.st2("pack", "remove", "demo")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert platform.st2("pack", "get", "demo").returncode == 1
    assert platform.st2("pack", "remove", "demo").returncode == 2
    assert not (platform.var / "packs" / "demo").exists()
