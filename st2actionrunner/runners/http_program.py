"""The child that sends an HTTP request: ``python -m st2actionrunner.runners.http_program``.

Reads a :class:`~st2actionrunner.http.job.Job` from standard input and writes ``{"status_code", "body", "parsed",
"headers"}``, or ``{"error"}`` where no answer came, to the job's result file. It sets itself no limit of time: the
keeper ends it.
"""

from __future__ import annotations

import codecs
import json
import sys
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import HTTPBasicAuth
from requests.cookies import RequestsCookieJar

from st2actionrunner.http.hosts import GuardedAdapter, HostRules
from st2actionrunner.http.job import Job
from st2actionrunner.runners import result_file
from st2actionrunner.runners.results import is_storable

# Bytes of a body, after decompression. The database takes no document over 16 MiB.
LARGEST_BODY = 14 * 1024 * 1024

_PIECE = 64 * 1024


class BodyTooLarge(requests.RequestException):
    """The answer is larger than an execution can keep."""


def main() -> int:
    """Send the request; 0 when there is an answer, whatever its status."""
    job = Job.from_json(sys.stdin.buffer.read())
    try:
        result = _exchange(job)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    result_file.write(job.result_path, result)
    if "error" in result:
        print(result["error"], file=sys.stderr, flush=True)
        return 1
    return 0


def _exchange(job: Job) -> dict[str, Any]:
    if not job.verify:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    rules = HostRules(job.forbidden_hosts, job.allowed_hosts)
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, GuardedAdapter(rules))
        response = session.request(
            job.method,
            job.url,
            params=dict(job.query),
            data=job.body.encode() if job.body is not None else job.form,
            files=_files(job),
            # As bytes: header values are not limited to the characters of Latin-1.
            headers={name: value.encode() for name, value in job.headers.items()},
            cookies=_cookies(job),
            auth=_credentials(job),
            allow_redirects=job.allow_redirects,
            proxies=dict(job.proxies),
            verify=None if job.verify else False,
            stream=True,
        )
        body, parsed = parsed_body(_content(response), response.headers.get("Content-Type", ""))
        headers = dict(response.headers)
        return {"status_code": response.status_code, "body": body, "parsed": parsed, "headers": headers}


def _cookies(job: Job) -> RequestsCookieJar:
    """For the host that is asked, not for another one that it redirects to."""
    host = urlsplit(job.url).hostname or ""
    # As http.cookiejar names hosts: an IPv6 address in brackets, and a domain for those that have none.
    host = f"[{host}]" if ":" in host else host
    jar = RequestsCookieJar()
    for name, value in job.cookies.items():
        jar.set(name, value, domain=host if "." in host else f"{host}.local")
    return jar


def _files(job: Job) -> dict[str, Any] | None:
    if job.file is None:
        return None
    part = (job.file.name, job.file.content.encode())
    return {job.file.name: (*part, job.file.content_type) if job.file.content_type else part}


def _credentials(job: Job) -> HTTPBasicAuth | None:
    if job.username is None and job.password is None:
        return None
    return HTTPBasicAuth((job.username or "").encode(), (job.password or "").encode())


def _content(response: requests.Response) -> bytes:
    content = bytearray()
    for piece in response.iter_content(_PIECE):
        content += piece
        if len(content) > LARGEST_BODY:
            raise BodyTooLarge(f"The body of the answer is larger than {LARGEST_BODY} bytes")
    return bytes(content)


def parsed_body(content: bytes, content_type: str) -> tuple[Any, bool]:
    """The body as data and True, where its type says that it is JSON and it is; as text and False otherwise."""
    kind, _, options = content_type.partition(";")
    text = content.decode(_encoding(options), "replace")
    if kind.strip().lower() != "application/json":
        return text, False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text, False
    return (value, True) if is_storable(value) else (text, False)


def _encoding(options: str) -> str:
    """The charset that a content type names, if there is such a one."""
    for option in options.split(";"):
        name, _, value = option.partition("=")
        if name.strip().lower() == "charset":
            try:
                return codecs.lookup(value.strip(" \"'")).name
            except LookupError:
                break
    return "utf-8"


if __name__ == "__main__":
    sys.exit(main())
