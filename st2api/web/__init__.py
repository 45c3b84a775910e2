"""The page of the API: the latest executions, and the output of one while it runs."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import PurePath
from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template_string, request
from oslo_config import cfg

from st2common.http.authentication import public

_JAVASCRIPT = "text/javascript; charset=UTF-8"
_TYPES = {".js": _JAVASCRIPT, ".css": "text/css; charset=UTF-8", ".svg": "image/svg+xml"}
#: The files of the page. Nothing else of this package can be asked for.
ASSETS = (
    "ansi.js",
    "api.js",
    "app.js",
    "icon.svg",
    "lines.js",
    "list.js",
    "log.js",
    "sign_in.js",
    "steps.js",
    "style.css",
    "watch.js",
    "words.js",
)
# What may stand in a Host header: the name goes into the page and into its security policy.
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")

routes = Blueprint("web", __name__, url_prefix="/web")


@routes.get(f"/<any({', '.join(map(repr, ASSETS))}):name>")
@public
def asset(name: str) -> Response:
    response = Response(_read(name), content_type=_TYPES[PurePath(name).suffix])
    response.headers["Cache-Control"] = "no-cache"
    return response


def index(config: cfg.ConfigOpts) -> Response:
    """The page. It may load its own files and talk to the API and the stream service, and do nothing else."""
    stream = _stream_base(config)
    response = Response(render_template_string(_read("index.html"), stream=stream), content_type="text/html")
    origin = "" if stream.startswith("/") else f" {stream.removesuffix('/v1')}"
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{origin}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"
    return response


def _stream_base(config: cfg.ConfigOpts) -> str:
    """Where the page finds the stream service: on its own port of the same host, or behind the same proxy."""
    address = urlsplit(f"//{request.host}")
    if address.port != config.api.port:
        return "/stream/v1"
    name = request.host.rpartition(":")[0]
    return f"http://{name}:{config.stream.port}/v1" if _HOST.fullmatch(name) else "/stream/v1"


def _read(name: str) -> str:
    return (resources.files(__name__) / name).read_text()
