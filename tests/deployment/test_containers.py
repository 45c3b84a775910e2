"""``docker-compose.yml`` itself, started by a real engine: an action is run and watched through it.

Finds the engine through ``DOCKER_HOST`` or ``docker``'s default. Where no image registry can be reached, missing images
are built as stand-ins under the pinned names (``stand_ins/README.md``).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from passlib.hash import bcrypt

from tests.acceptance.platforms import lines_of
from tests.conditions import eventually

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
PROJECT = "st2-test"
DAEMONS = (
    "st2auth",
    "st2api",
    "st2stream",
    "st2actionrunner",
    "st2rulesengine",
    "st2sensorcontainer",
    "st2garbagecollector",
)

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


def run(*words: str, timeout: float = 600, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, capture_output=True, text=True, timeout=timeout, cwd=ROOT, env={**os.environ, **variables}
    )


def compose_command() -> list[str]:
    if shutil.which("docker") is None or run("docker", "info").returncode != 0:
        pytest.skip("there is no Docker engine: DOCKER_HOST names none that answers")
    if run("docker", "compose", "version").returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("there is no docker compose")


class Compose:
    def __init__(self, command: list[str], env_file: Path) -> None:
        self._command = [*command, "--env-file", str(env_file), "-p", PROJECT]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(*self._command, *arguments)

    def inside(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self("exec", "-T", service, *words)

    def container(self, service: str, number: int = 1) -> str:
        [found] = run(
            *("docker", "ps", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}"),
            *("--filter", f"label=com.docker.compose.service={service}"),
            *("--filter", f"label=com.docker.compose.container-number={number}"),
        ).stdout.split()
        return found


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    command = compose_command()
    for name in ("rabbitmq:4", "mongo:8"):
        if run("docker", "image", "inspect", name).returncode != 0 and run("docker", "pull", name).returncode != 0:
            built = run("docker", "build", "-t", name, str(STAND_INS / name.partition(":")[0]))
            assert built.returncode == 0, built.stdout + built.stderr
    place = tmp_path_factory.mktemp("compose")
    users = place / "htpasswd"
    users.write_text(f"ada:{bcrypt.using(rounds=4).hash('lovelace')}\n")
    users.chmod(0o644)
    for directory in (place, *place.parents):
        if directory.stat().st_uid == os.getuid() and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o011)
    env_file = place / "env"
    env_file.write_text(f"MONGO_PASSWORD=mongoSecret1\nRABBITMQ_PASSWORD=rabbitSecret1\nST2_HTPASSWD={users}\n")
    compose = Compose(command, env_file)
    try:
        started = compose("up", "-d", "--build", "--scale", "st2actionrunner=2")
        assert started.returncode == 0, started.stdout + started.stderr
        yield compose
    finally:
        compose("down", "--volumes", "--timeout", "20")


@pytest.fixture(scope="module")
def token(compose: Compose) -> str:
    def log_in() -> str:
        words = ("st2", "auth", "ada", "-p", "lovelace", "-t")
        return compose.inside("st2auth", "env", "ST2_AUTH_URL=http://st2auth:9100", *words).stdout.strip()

    return eventually(log_in, timeout=90)


def st2(compose: Compose, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = (
        f"ST2_AUTH_TOKEN={token}",
        "ST2_API_URL=http://st2api:9101/v1",
        "ST2_STREAM_URL=http://st2stream:9102/v1",
    )
    return compose.inside("st2api", "env", *settings, "st2", *arguments)


def test_nothing_starts_without_passwords(tmp_path: Path) -> None:
    empty = tmp_path / "env"
    empty.write_text((ROOT / ".env.example").read_text())
    refused = run(*compose_command(), "--env-file", str(empty), "-p", "st2-refused", "config")
    assert refused.returncode != 0
    assert "PASSWORD" in refused.stderr


def test_every_daemon_says_that_it_is_healthy(compose: Compose) -> None:
    names = [compose.container(name) for name in DAEMONS] + [compose.container("st2actionrunner", 2)]
    for name in names:
        state = ("docker", "inspect", "-f", "{{.State.Health.Status}}", name)
        eventually(lambda state=state: run(*state).stdout.strip() == "healthy", timeout=120)


def test_an_action_is_run_and_watched(compose: Compose, token: str) -> None:
    command = "for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done; id -un"
    ran = st2(compose, token, "run", "core.local", f"cmd={command}", "--tail")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert lines_of(ran.stdout) == [*(f"line {number}" for number in range(1, 6)), "stanley"]


def test_no_daemon_is_root_and_actions_do_not_see_the_passwords(compose: Compose, token: str) -> None:
    for name in DAEMONS:
        assert compose.inside(name, "id", "-un").stdout.strip() == "st2"
    look = "env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'; ps axww"
    ran = st2(compose, token, "run", "core.local", f"cmd={look}", "-j")
    assert json.loads(ran.stdout)["status"] == "succeeded"
    assert "Secret1" not in ran.stdout


def test_a_restarted_daemon_goes_on_and_stored_executions_stay(compose: Compose, token: str) -> None:
    before = json.loads(st2(compose, token, "run", "core.local", "cmd=echo kept", "-j").stdout)["id"]
    assert compose("restart", "mongo", "rabbitmq", "st2api").returncode == 0
    got = eventually(lambda: st2(compose, token, "execution", "get", before, "-j").stdout, timeout=90)
    assert json.loads(got)["result"]["stdout"] == "kept"
    ran = eventually(lambda: st2(compose, token, "run", "core.local", "cmd=echo again").stdout, timeout=60)
    assert "again" in ran


def test_what_is_logged_has_no_password(compose: Compose) -> None:
    assert "Secret1" not in compose("logs").stdout
