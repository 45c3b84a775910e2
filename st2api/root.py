"""The root: version and documentation for programs, the page for people; and who the caller is."""

from __future__ import annotations

from flask import Blueprint, Response, request

from st2api import web
from st2api.context import api
from st2common import __version__
from st2common.http.responses import answer

DOCS_URL = "http://docs.stackstorm.com/3.9"

routes = Blueprint("root", __name__)


@routes.get("/")
def root() -> Response:
    # Browsers name text/html; everything else (clients, curl) takes anything and gets JSON.
    if "text/html" in request.headers.get("Accept", ""):
        response = web.index(api().config)
    else:
        response = answer({"version": __version__, "docs_url": DOCS_URL})
    response.vary.add("Accept")
    return response


@routes.get("/user")
def user() -> Response:
    return answer(
        {
            "username": api().user,
            "authentication": {"method": "authentication token", "location": "header"},
            "rbac": {"enabled": False, "roles": [], "is_admin": True},
        }
    )
