"""``http-request``: one HTTP request.

The work is done by :mod:`st2actionrunner.runners.http_program`, a child under the keeper like any other.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from st2actionrunner.http.job import File, Job
from st2actionrunner.launch import Launch, Outcome, PythonParent, RunnerError, RunRequest
from st2actionrunner.runners import result_file
from st2actionrunner.runners.results import explain
from st2actionrunner.runners.settings import RunnerSettings
from st2common import __version__
from st2common.models.statuses import Status
from st2common.runners.python_environment import public_part
from st2common.services.casts import cast

PROGRAM = "st2actionrunner.runners.http_program"

# Seconds, for an action that does not say.
_TIMEOUT = 60.0

_SUCCEEDED = range(200, 207)


class HttpRequest:
    """Runner of ``http-request``."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings

    def prepare(self, run: RunRequest) -> Launch:
        job = job_of(run)
        path = self._settings.platform_path
        # No credentials but those of the action: the runner's own ~/.netrc is none of its business.
        own = {"PYTHONPATH": os.pathsep.join(path), "NETRC": os.devnull}
        return Launch(
            argv=[sys.executable, "-P", "-u", "-m", PROGRAM],
            env=public_part(os.environ) | own,
            stdin=job.to_json(),
            timeout=timeout_of(run),
            parent=PythonParent(sys.executable, path),
        )

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        written = result_file.read(outcome.result)
        if "status_code" in written:
            result = {name: _masked(value, outcome.mask) for name, value in written.items()}
            return Status.SUCCEEDED if written["status_code"] in _SUCCEEDED else Status.FAILED, result
        if outcome.exit.timed_out:
            return Status.TIMEOUT, {"error": explain(outcome.exit, timeout_of(run))}
        error = written.get("error") or explain(outcome.exit, None) or "The request could not be sent."
        return Status.FAILED, {"error": outcome.mask(error), "traceback": outcome.stderr}


def job_of(run: RunRequest) -> Job:
    """The request that the parameters describe.

    Raises:
        RunnerError: they describe none.
    """
    parameters = _parameters(run)
    if not parameters.get("url"):
        raise RunnerError('The parameter "url" has no value: there is nothing to ask for.')
    forbidden, allowed = parameters.get("url_hosts_blacklist") or [], parameters.get("url_hosts_whitelist") or []
    if forbidden and allowed:
        raise RunnerError('Only one of "url_hosts_blacklist" and "url_hosts_whitelist" can be given.')
    headers = _headers(run, parameters)
    file = _file(parameters)
    body, form = _body(parameters.get("body"), headers)
    if file and body is not None:
        raise RunnerError('A request has either a "body" of text or a file.')
    username, password = _credentials(parameters)
    posts = file is not None or body is not None or form is not None
    return Job(
        method=str(parameters.get("method") or ("POST" if posts else "GET")).upper(),
        url=parameters["url"],
        query=parameters.get("params") or {},
        headers=headers,
        cookies=_texts(parameters.get("cookies")),
        body=body,
        form=form,
        file=file,
        username=username,
        password=password,
        allow_redirects=bool(parameters.get("allow_redirects")),
        verify=parameters.get("verify_ssl_cert") is not False,
        proxies={scheme: proxy for scheme in ("http", "https") if (proxy := parameters.get(f"{scheme}_proxy"))},
        forbidden_hosts=tuple(map(str, forbidden)),
        allowed_hosts=tuple(map(str, allowed)),
        result_path=str(run.directory / "result"),
    )


def timeout_of(run: RunRequest) -> float:
    """Seconds for the whole request, from the first look for a name to the last byte of the answer.

    Raises:
        RunnerError: no positive number.
    """
    given = _parameters(run).get("timeout")
    try:
        timeout = _TIMEOUT if given is None else float(given)
    except (TypeError, ValueError):
        timeout = 0.0
    if not timeout > 0:
        raise RunnerError(f'The parameter "timeout" is {given}: it must be more than 0 seconds.')
    return timeout


def _parameters(run: RunRequest) -> dict[str, Any]:
    """Some of them are the runner's, some are ones that actions of this type declare themselves."""
    return {**run.runner_parameters, **run.action_parameters}


def _headers(run: RunRequest, parameters: Mapping[str, Any]) -> dict[str, str]:
    """The action's headers, after what tells a server whom to ask about the request."""
    ours = {"User-Agent": f"st2/v{__version__}", "X-Stanley-Action": str(run.action.get("name") or "")}
    given = _texts(parameters.get("headers"))
    auth = parameters.get("auth")
    if isinstance(auth, str) and auth:
        name, separator, value = auth.partition("=")
        if not separator:
            raise RunnerError('The parameter "auth" is not of the form header=value.')
        given[name.strip()] = value
    said = {name.lower() for name in given}
    return {name: value for name, value in ours.items() if name.lower() not in said} | given


def _credentials(parameters: Mapping[str, Any]) -> tuple[str | None, str | None]:
    username, password = parameters.get("username"), parameters.get("password")
    if username or password:
        return username, password
    match parameters.get("auth"):
        case [str(name), str(word)]:
            return name, word
        case {"username": str(name), "password": str(word)}:
            return name, word
        case None | "" | str():
            return None, None
    raise RunnerError('The parameter "auth" is neither header=value nor a list of user and password.')


def _file(parameters: Mapping[str, Any]) -> File | None:
    name, content = parameters.get("file_name"), parameters.get("file_content")
    if not name or content is None:
        return None
    return File(name=str(name), content=str(content), content_type=parameters.get("file_content_type") or None)


def _body(body: Any, headers: dict[str, str]) -> tuple[str | None, Mapping[str, Any] | None]:
    """The body as text, or as the fields of a form. A list gets the content type of JSON where it has none."""
    if body is None or body == "":
        return None, None
    kinds = [value for name, value in headers.items() if name.lower() == "content-type"]
    is_json = bool(kinds) and kinds[0].partition(";")[0].strip().lower() == "application/json"
    if isinstance(body, str):
        return _json_text(body) if is_json else body, None
    if isinstance(body, Mapping) and not is_json:
        return None, body
    if not kinds:
        headers["Content-Type"] = "application/json"
    return json.dumps(body), None


def _json_text(body: str) -> str:
    """JSON as it was written; a Python literal, which a template makes of data, as JSON."""
    try:
        json.loads(body)
    except ValueError:
        try:
            return json.dumps(cast(body, "object"))
        except (ValueError, TypeError) as error:
            raise RunnerError('The parameter "body" is not JSON, which the header Content-Type says it is.') from error
    return body


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(name): str(value) for name, value in (values or {}).items() if value is not None}


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    """A server may send back what it was sent."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {name: _masked(item, mask) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, mask) for item in value]
    return value
