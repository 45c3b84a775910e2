"""The example of nginx, with Debian's nginx before a whole platform."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform, lines_of
from tests.certificates import Authority
from tests.conditions import eventually
from tests.servers import free_ports

EXAMPLE = Path(__file__).parents[2] / "conf" / "nginx" / "st2.conf"

pytestmark = pytest.mark.full


class Proxy:
    def __init__(self, directory: Path, platform: Platform) -> None:
        self.port, self.plain_port = free_ports(2)
        authority = Authority(directory)
        theirs = authority.certificate("nginx")
        self.authority = authority.file
        self._context = ssl.create_default_context(cafile=str(self.authority))
        config = platform.config
        text = EXAMPLE.read_text()
        for pattern, replacement in (
            (r"listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            (r"listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            (r"listen \[::\].*\n", "\n"),
            (r"/etc/ssl/st2/st2.crt", str(theirs.certificate)),
            (r"/etc/ssl/st2/st2.key", str(theirs.key)),
            (r"/var/log/nginx", str(directory)),
            (r"127.0.0.1:9101", f"127.0.0.1:{config.api.port}"),
            (r"127.0.0.1:9102", f"127.0.0.1:{config.stream.port}"),
            (r"127.0.0.1:9100", f"127.0.0.1:{config.auth.port}"),
        ):
            text, count = re.subn(pattern, replacement, text)
            assert count, pattern
        (directory / "st2.conf").write_text(text)
        temporary = "".join(
            f"{name}_temp_path {directory}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        (directory / "nginx.conf").write_text(
            f"{user}daemon off;\npid {directory}/pid;\nevents {{}}\n"
            f"http {{\n{temporary}include {directory}/st2.conf;\n}}\n"
        )
        self.process = subprocess.Popen(
            ["nginx", "-c", f"{directory}/nginx.conf", "-e", f"{directory}/error.log"], stderr=subprocess.DEVNULL
        )
        eventually(self._listens)

    def _listens(self) -> bool:
        assert self.process.poll() is None
        try:
            answer = self.ask("GET", "/")
            answer.read()
            return answer.status == 200
        except OSError:
            return False

    def ask(self, method: str, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection("localhost", self.port, context=self._context, timeout=30)
        # The connection is then the answer's, and closed with it.
        connection.request(method, path, headers={"Connection": "close"})
        return connection.getresponse()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("proxied") / "var", ["standalone"])
    with platform.running():
        yield platform


@pytest.fixture(scope="module")
def proxy(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    if shutil.which("nginx") is None:
        pytest.skip("there is no nginx: apt-get install nginx-light")
    proxy = Proxy(tmp_path_factory.mktemp("nginx"), platform)
    yield proxy
    proxy.process.terminate()
    proxy.process.wait(20)


@pytest.mark.parametrize("path", ["/stream/v1/executions/{}/output", "/api/v1/executions/{}/stdout"])
def test_a_line_arrives_before_the_next_one_is_printed(
    proxy: Proxy, platform: Platform, tmp_path: Path, path: str
) -> None:
    go_on = tmp_path / "go_on"
    command = f"echo first; until [ -e {go_on} ]; do sleep 0.05; done; echo second"
    started = platform.st2("run", "core.local", f"cmd={command}", "-a", "-j")
    answer = proxy.ask("GET", path.format(json.loads(started.stdout)["id"]))
    assert answer.status == 200
    while b"first" not in (line := answer.readline()):
        assert line, "the stream ended"
    go_on.touch()
    assert b"second" in answer.read()


def test_our_own_command_works_through_it(proxy: Proxy, platform: Platform) -> None:
    base = f"https://localhost:{proxy.port}"
    urls = {"ST2_API_URL": f"{base}/api/v1", "ST2_STREAM_URL": f"{base}/stream/v1", "ST2_CACERT": str(proxy.authority)}
    ran = subprocess.run(
        [platform.command("st2"), "run", "core.local", "cmd=echo one; echo two", "--tail"],
        env={**platform.environment, **urls},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert lines_of(ran.stdout) == ["one", "two"]


@pytest.mark.parametrize("path", ["/stream/v1/stream", "/api/stream", "/api/v1/stream"])
def test_every_name_of_the_event_stream(proxy: Proxy, path: str) -> None:
    answer = proxy.ask("GET", path)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    answer.close()


def test_other_methods_and_plain_http_are_turned_away(proxy: Proxy) -> None:
    refused = proxy.ask("TRACE", "/api/v1/actions")
    refused.read()
    assert refused.status == 405
    plain = http.client.HTTPConnection("localhost", proxy.plain_port, timeout=30)
    plain.request("GET", "/api/v1/actions?limit=1")
    answer = plain.getresponse()
    answer.read()
    assert (answer.status, answer.headers["Location"]) == (308, "https://localhost/api/v1/actions?limit=1")
    plain.close()


def test_a_stream_that_is_away_is_asked_again(proxy: Proxy, platform: Platform) -> None:
    platform.stop()
    try:
        answer = proxy.ask("GET", "/stream/v1/stream")
        assert (answer.status, answer.read()) == (200, b"retry: 1000\n\n")
        assert answer.headers["Content-Type"] == "text/event-stream"
    finally:
        platform.start()
