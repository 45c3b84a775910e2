"""One log line when a request arrives and one when its answer starts, tied by the request's id."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Any

from flask import Request, Response, g, request

from st2common import metrics
from st2common.logging.context import REQUEST_ID

LOG = logging.getLogger(__name__)

MASK = "********"
#: The blueprint of requests that come every few seconds and say nothing: logged at level DEBUG.
PROBES = "probes"
#: Query parameters that carry credentials.
SECRET_PARAMETERS = frozenset({"x-auth-token", "st2-api-key"})

# An API key may be named by itself as well as by its id, which is 24 hexadecimal digits.
_KEY_IN_PATH = re.compile(r"(/apikeys/+)(?![0-9a-fA-F]{24}/*$)[^/]+")
_KEY_ID = re.compile(r"[0-9a-fA-F]{24}")

# Clients choose their request id; what they choose ends in our log and headers.
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


def begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    REQUEST_ID.set(g.request_id)
    g.request_started = time.monotonic()
    g.log_level = logging.DEBUG if request.blueprint == PROBES else logging.INFO
    if LOG.isEnabledFor(g.log_level):
        LOG.log(
            g.log_level, "%s - %s %s with query=%s", g.request_id, request.method, path_of(request), _query(request)
        )


def path_of(request: Request) -> str:
    """The path as the client wrote it, without what may be a key, in printable characters."""
    return _KEY_IN_PATH.sub(rf"\1{MASK}", _printable(request.environ.get("st2.path", request.path)))


def is_key_id(text: str) -> bool:
    """Whether it is the id of an API key and not perhaps the key."""
    return _KEY_ID.fullmatch(text) is not None


def finish(response: Response) -> None:
    """Streams have no length yet: the line says ``-``."""
    response.headers["X-Request-ID"] = g.request_id
    elapsed = time.monotonic() - g.request_started
    metrics.REQUESTS.labels(request.method, str(response.status_code)).inc()
    metrics.REQUEST_SECONDS.observe(elapsed)
    length = response.headers.get("Content-Length", "-")
    LOG.log(g.log_level, "%s - %d %s %.3fms", g.request_id, response.status_code, length, elapsed * 1000)


def _query(request: Request) -> dict[str, Any]:
    # The repr of the dict escapes control characters, so a query cannot forge log lines.
    return {name: MASK if name.lower() in SECRET_PARAMETERS else values[-1] for name, values in request.args.lists()}


def _printable(path: str) -> str:
    return path.encode("unicode_escape").decode("ascii")
