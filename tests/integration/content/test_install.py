"""Packs from directories, git repositories and an index."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from oslo_config import cfg

from st2common import config as configuration
from st2common.content import install, install_cmd, pack_environment, pack_size
from st2common.content.install import Conflicts, Options
from st2common.content.pack_source import InstallError

MANIFEST = "ref: {ref}\nname: x\ndescription: x\nversion: {version}\nauthor: Me\nemail: me@example.com\n{more}"
FILES_ONLY = Options(environments=False)


@pytest.fixture
def config(tmp_path: Path) -> cfg.ConfigOpts:
    loaded = configuration.load([], prog="test")
    loaded.set_override("base_path", str(tmp_path), group="system")
    loaded.set_override("system_packs_base_path", str(tmp_path / "packs"), group="content")
    loaded.set_override("index_url", [f"file://{tmp_path}/index.json"], group="content")
    return loaded


def git(directory: Path, *words: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", *identity, *words], cwd=directory, check=True, capture_output=True)


def pack(directory: Path, ref: str = "demo", version: str = "1.0.0", more: str = "") -> Path:
    (directory / "actions").mkdir(parents=True, exist_ok=True)
    (directory / "pack.yaml").write_text(MANIFEST.format(ref=ref, version=version, more=more))
    (directory / "actions" / "run.sh").write_text("echo\n")
    return directory


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare repository: tag v1.0.0, then version 2.0.0 on the branch ``next`` and 1.1.0 on the first one."""
    work = pack(tmp_path / "work")
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    git(work, "tag", "v1.0.0")
    git(work, "checkout", "-qb", "next")
    pack(work, version="2.0.0")
    git(work, "commit", "-qam", "two")
    git(work, "checkout", "-q", "main")
    pack(work, version="1.1.0")
    git(work, "commit", "-qam", "three")
    git(tmp_path, "clone", "-q", "--bare", "work", "demo.git")
    return tmp_path / "demo.git"


def version(config: cfg.ConfigOpts, ref: str = "demo") -> str:
    text = (Path(config.content.system_packs_base_path) / ref / "pack.yaml").read_text()
    return next(line.removeprefix("version: ") for line in text.splitlines() if line.startswith("version"))


def test_revisions(config: cfg.ConfigOpts, repository: Path, tmp_path: Path) -> None:
    told: list[str] = []
    for revision, expected in (("", "1.1.0"), ("=1.0.0", "1.0.0"), ("=next", "2.0.0"), ("=v1.0.0", "1.0.0")):
        assert install.install(config, [f"file://{repository}{revision}"], FILES_ONLY, told.append).packs == ["demo"]
        assert version(config) == expected
    assert f"Getting {repository} at next" in told
    with pytest.raises(InstallError, match=r'"9.9.9"; it has v1.0.0'):
        install.install(config, [f"file://{repository}=9.9.9"], FILES_ONLY, told.append)
    assert version(config) == "1.0.0"
    script = tmp_path / "packs/demo/actions/run.sh"
    assert [path.stat().st_mode & 0o777 for path in (script, script.parent)] == [0o664, 0o775]
    # Nothing of the work is left.
    assert {path.name for path in (tmp_path / "packs").iterdir()} == {"demo", ".lock"}


def test_a_small_repository_that_stands_for_a_million_files(
    config: cfg.ConfigOpts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = pack(tmp_path / "bomb")
    git(work, "init", "-q", "-b", "main")
    name = _made(work, "hash-object -w pack.yaml")
    entry = f"100644 blob {name}"
    for _ in range(6):
        tree = _made(work, "mktree", "".join(f"{entry}\t{number}\n" for number in range(10)))
        entry = f"040000 tree {tree}"
    top = _made(work, "mktree", f"100644 blob {name}\tpack.yaml\n{entry}\tactions\n")
    git(work, "update-ref", "refs/heads/main", _made(work, f"-c user.name=x -c user.email=x commit-tree -m x {top}"))
    with pytest.raises(InstallError, match="more than 100000 files"):
        install.install(config, [f"file://{work}"], FILES_ONLY, lambda _line: None)
    monkeypatch.setattr(pack_size, "MAX_BYTES", 10**6)
    with pytest.raises(InstallError, match="more than 1000000 bytes"):
        install.install(config, [f"file://{work}"], FILES_ONLY, lambda _line: None)
    assert {path.name for path in (tmp_path / "packs").iterdir()} == {".lock"}


def test_a_directory_that_is_too_large(config: cfg.ConfigOpts, tmp_path: Path) -> None:
    directory = pack(tmp_path / "large")
    os.truncate(directory / "actions" / "run.sh", pack_size.MAX_BYTES)
    with pytest.raises(InstallError, match="more than 1073741824 bytes"):
        install.install(config, [str(directory)], FILES_ONLY, lambda _line: None)


def _made(directory: Path, words: str, told: str = "") -> str:
    done = subprocess.run(
        ["git", *words.split()], cwd=directory, input=told, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_directory_and_the_index(config: cfg.ConfigOpts, repository: Path, tmp_path: Path) -> None:
    plain = pack(tmp_path / "plain", ref="plain")
    (tmp_path / "index.json").write_text(json.dumps({"packs": {"demo": {"repo_url": f"file://{repository}"}}}))
    installed = install.install(config, [str(plain), "demo=next"], FILES_ONLY, print)
    assert set(installed.packs) == {"plain", "demo"}
    assert version(config) == "2.0.0"
    with pytest.raises(InstallError, match="no git repository"):
        install.install(config, [f"{plain}=1.0.0"], FILES_ONLY, print)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('stackstorm_version: ">=99.0.0"', "requires StackStorm"),
        ('stackstorm_version: "new"', "stackstorm_version"),
        ('python_versions: ["2"]', "Python 2 only"),
    ],
)
def test_what_does_not_fit(config: cfg.ConfigOpts, tmp_path: Path, more: str, message: str) -> None:
    directory = pack(tmp_path / "odd", more=more)
    with pytest.raises(InstallError, match=message):
        install.install(config, [str(directory)], FILES_ONLY, print)
    assert not (tmp_path / "packs" / "demo").exists()
    forced = install.install(config, [str(directory)], Options(force=True, environments=False), print)
    assert message in forced.warnings[0]


@pytest.mark.parametrize("ref", ["core", "packs"])
def test_the_platform_s_packs_are_safe(config: cfg.ConfigOpts, tmp_path: Path, ref: str) -> None:
    with pytest.raises(InstallError, match="of the platform"):
        install.install(config, [str(pack(tmp_path / "x", ref=ref))], Options(force=True, environments=False), print)
    for protected in (ref, "linux", "../x", "nosuch"):
        with pytest.raises(InstallError):
            install.delete(config, protected, print)


@pytest.mark.parametrize("content", ["name: [", "name: x\n", None])
def test_what_is_no_pack(config: cfg.ConfigOpts, tmp_path: Path, content: str | None) -> None:
    directory = pack(tmp_path / "x")
    (directory / "pack.yaml").unlink()
    if content is not None:
        (directory / "pack.yaml").write_text(content)
    with pytest.raises(InstallError, match=r"pack\.yaml"):
        install.install(config, [str(directory)], FILES_ONLY, print)


def test_dependencies(config: cfg.ConfigOpts, repository: Path, tmp_path: Path) -> None:
    needs = pack(tmp_path / "needs", ref="needs", more=f'dependencies: ["file://{repository}=1.0.0", core]\n')
    skipping = Options(skip_dependencies=True, environments=False)
    assert install.install(config, [str(needs)], skipping, print).packs == ["needs"]
    assert install.install(config, [str(needs)], FILES_ONLY, print).packs == ["demo", "needs"]
    assert version(config) == "1.0.0"
    other = pack(tmp_path / "other", ref="other", more="dependencies: [demo=3.0.0]\n")
    with pytest.raises(Conflicts) as caught:
        install.install(config, [str(other)], FILES_ONLY, print)
    assert caught.value.conflicts == ['demo=3.0.0 is needed by "other", and 1.0.0 is installed']
    assert not (tmp_path / "packs" / "other").exists()
    # Two packs that need each other come to an end.
    a = pack(tmp_path / "a", ref="a", more=f'dependencies: ["file://{tmp_path}/b"]\n')
    pack(tmp_path / "b", ref="b", more=f'dependencies: ["file://{a}"]\n')
    assert set(install.install(config, [str(a)], FILES_ONLY, print).packs) == {"a", "b"}


def test_a_virtual_environment(config: cfg.ConfigOpts, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    directory = pack(tmp_path / "x")
    install.install(config, [str(directory)], Options(), install_cmd.tell)
    python = pack_environment.location(config, "demo") / "bin" / "python"
    subprocess.run([python, "-c", "import six"], check=True, env={})
    printed = capfd.readouterr().out.splitlines()
    assert printed[1].startswith("Making a virtual environment for pack demo")
    assert any("Successfully installed six" in line for line in printed)
    # What fails leaves everything as it was.
    pack(directory, version="2.0.0")
    (directory / "requirements.txt").write_text("./nosuch\n")
    with pytest.raises(InstallError, match="pip install failed"):
        install.install(config, [str(directory)], Options(), print)
    assert version(config) == "1.0.0"
    assert python.exists()
    install.delete(config, "demo", print)
    assert not (tmp_path / "packs" / "demo").exists()
    assert not python.exists()
    assert list((tmp_path / "virtualenvs").iterdir()) == []


def test_the_command(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "st2.conf"
    conf.write_text(f"[system]\nbase_path = {tmp_path}\n[content]\nsystem_packs_base_path = {tmp_path}/packs\n")
    words = ["--config-file", str(conf), "--pack"]
    assert install_cmd.download([*words, f"file://{repository}=next"]) == 0
    assert "Pack demo 2.0.0 is in" in capsys.readouterr().out
    assert install_cmd.install([*words, "/nowhere"]) == 1
    assert install_cmd.setup_virtualenv([*words, "nosuch"]) == 1
    assert capsys.readouterr().err == (
        'st2-pack-install: /nowhere is no directory\nst2-pack-setup-virtualenv: Pack "nosuch" is not installed\n'
    )
