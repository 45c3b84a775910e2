"""From parameters to a request, from an answer to a result; which hosts may be asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from st2actionrunner.http.hosts import GuardedAdapter, HostRefused, HostRules
from st2actionrunner.http.job import Job
from st2actionrunner.launch import Exit, RunnerError, RunRequest
from st2actionrunner.runners.http_program import parsed_body
from st2actionrunner.runners.http_request import HttpRequest, job_of
from st2common import __version__
from st2common.models.statuses import Status
from tests.unit.runners.requests import outcome, request, settings

URL = "http://web.example.com/path"


def asking(directory: Path, runner: dict[str, Any] | None = None, **action: Any) -> RunRequest:
    return request(
        directory,
        action={"ref": "demo.ask", "name": "ask", "pack": "demo"},
        runner_parameters={"url": URL, "verify_ssl_cert": True} | (runner or {}),
        action_parameters=action,
    )


def test_defaults(tmp_path: Path) -> None:
    job = job_of(asking(tmp_path))
    assert (job.method, job.url, job.body, job.file, job.verify, job.allow_redirects) == (
        "GET",
        URL,
        None,
        None,
        True,
        False,
    )
    assert job.headers == {"User-Agent": f"st2/v{__version__}", "X-Stanley-Action": "ask"}
    assert HttpRequest(settings(tmp_path)).prepare(asking(tmp_path)).timeout == 60


def test_no_secret_is_an_argument_or_a_variable(tmp_path: Path) -> None:
    run = asking(tmp_path, {"username": "u", "password": "open sesame", "headers": {"X": "barley"}}, body="wheat")
    launch = HttpRequest(settings(tmp_path)).prepare(run)
    for secret in ("sesame", "barley", "wheat"):
        assert not any(secret in text for text in (*launch.argv, *launch.env.values()))
    job = Job.from_json(launch.stdin or b"")
    assert (job.method, job.password, job.body) == ("POST", "open sesame", "wheat")


JSON = {"Content-Type": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    ("body", "headers", "sent", "form"),
    [
        ("", {}, None, None),
        ("text", {}, "text", None),
        ('{"a":  1}', JSON, '{"a":  1}', None),
        ("{'a': True}", JSON, '{"a": true}', None),
        ({"a": 1}, JSON, '{"a": 1}', None),
        ({"a": 1}, {}, None, {"a": 1}),
        ([1, 2], {}, "[1, 2]", None),
    ],
)
def test_bodies(tmp_path: Path, body: Any, headers: dict[str, str], sent: str | None, form: Any) -> None:
    job = job_of(asking(tmp_path, {"headers": headers}, body=body))
    assert (job.body, job.form) == (sent, form)


@pytest.mark.parametrize(
    ("runner", "action", "expected"),
    [
        ({"username": "u", "password": "p"}, {"auth": ["a", "b"]}, ("u", "p", None)),
        ({}, {"auth": ["a", "b"]}, ("a", "b", None)),
        ({}, {"auth": {"username": "a", "password": "b"}}, ("a", "b", None)),
        ({}, {"auth": "x-auth-token=A=B"}, (None, None, "A=B")),
    ],
)
def test_credentials(tmp_path: Path, runner: dict[str, Any], action: dict[str, Any], expected: tuple[Any, ...]) -> None:
    job = job_of(asking(tmp_path, runner, **action))
    assert (job.username, job.password, job.headers.get("x-auth-token")) == expected


@pytest.mark.parametrize(
    ("runner", "action", "message"),
    [
        ({"url": None}, {}, '"url" has no value'),
        ({"url_hosts_blacklist": ["a"], "url_hosts_whitelist": ["b"]}, {}, "Only one of"),
        ({}, {"timeout": 0}, '"timeout" is 0'),
        ({}, {"timeout": "soon"}, '"timeout" is soon'),
        ({}, {"auth": 5}, '"auth" is neither'),
        ({}, {"auth": "basic"}, "not of the form"),
        ({"headers": JSON}, {"body": "{"}, "not JSON"),
        ({}, {"body": "text", "file_name": "f", "file_content": "c"}, "either"),
    ],
)
def test_what_is_no_request(tmp_path: Path, runner: dict[str, Any], action: dict[str, Any], message: str) -> None:
    with pytest.raises(RunnerError, match=message):
        HttpRequest(settings(tmp_path)).prepare(asking(tmp_path, runner, **action))


@pytest.mark.parametrize(
    ("code", "status"), [(200, "succeeded"), (206, "succeeded"), (207, "failed"), (302, "failed"), (500, "failed")]
)
def test_statuses(tmp_path: Path, code: int, status: str) -> None:
    written = {"status_code": code, "body": {"said": "the secret"}, "parsed": True, "headers": {"X": "secret"}}
    ended = outcome(
        Exit(exit_code=0), result=json.dumps(written).encode(), mask=lambda text: text.replace("secret", "***")
    )
    found, result = HttpRequest(settings(tmp_path)).conclude(asking(tmp_path), ended)
    assert (found, result["status_code"]) == (status, code)
    assert (result["body"], result["headers"]) == ({"said": "the ***"}, {"X": "***"})


def test_no_answer(tmp_path: Path) -> None:
    runner = HttpRequest(settings(tmp_path))
    late = outcome(Exit(signal=15, timed_out=True, killed=True))
    assert runner.conclude(asking(tmp_path, timeout=2.5), late) == (
        Status.TIMEOUT,
        {"error": "Action failed to complete in 2.5 seconds"},
    )
    refused = outcome(Exit(exit_code=1), stderr="refused\n", result=b'{"error": "refused"}')
    assert runner.conclude(asking(tmp_path), refused) == (
        Status.FAILED,
        {"error": "refused", "traceback": "refused\n"},
    )
    status, result = runner.conclude(asking(tmp_path), outcome(Exit(signal=9)))
    assert (status, "signal 9" in result["error"]) == (Status.FAILED, True)


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b'{"a": 1}', "application/json; charset=utf-8", ({"a": 1}, True)),
        (b'{"a": 1}', "text/plain", ('{"a": 1}', False)),
        (b"{", "application/json", ("{", False)),
        (b'{"a": NaN}', "application/json", ('{"a": NaN}', False)),
        (b"\xfcber", "text/plain; charset=iso-8859-1", ("über", False)),
        ("über".encode(), "text/plain; charset=nonsense", ("über", False)),
        (b"", "", ("", False)),
    ],
)
def test_bodies_of_answers(content: bytes, kind: str, expected: tuple[Any, bool]) -> None:
    assert parsed_body(content, kind) == expected


@pytest.mark.parametrize(
    ("url", "forbidden", "allowed", "refused"),
    [
        (URL, ["web.example.com"], [], True),
        (URL, ["WEB.example.com."], [], True),
        ("http://web.example.com./", ["web.example.com"], [], True),
        (URL, ["example.com"], [], False),
        (URL, [], ["web.example.com"], False),
        (URL, [], ["example.com"], True),
        ("http://u:p@web.example.com:8080/", ["web.example.com"], [], True),
        ("http://web.example.com:8080/", ["web.example.com:9090"], [], False),
        ("https://web.example.com/", ["web.example.com:443"], [], True),
        ("http://[::1]:80/", ["::1"], [], True),
        ("http://[0:0:0::1]/", ["[::1]:80"], [], True),
        ("http://[::ffff:127.0.0.1]/", ["127.0.0.1"], [], True),
        ("http://2130706433/", ["127.0.0.1"], [], True),
        ("http://0x7f.1/", ["127.0.0.1"], [], True),
        ("http://localhost/", ["127.0.0.1"], [], True),
        ("http://xn--mller-kva.example/", ["müller.example"], [], True),
    ],
)
def test_host_rules(url: str, forbidden: list[str], allowed: list[str], refused: bool) -> None:
    rules = HostRules(forbidden, allowed)
    if refused:
        with pytest.raises(HostRefused):
            rules.check(url, proxied=False)
    else:
        rules.check(url, proxied=False)


def test_a_refused_request_is_not_sent() -> None:
    adapter = GuardedAdapter(HostRules(["127.0.0.1"], []))
    with pytest.raises(HostRefused, match="is blacklisted"):
        adapter.send(requests.Request("GET", "http://127.0.0.1:1/").prepare(), proxies={})
    adapter.close()
