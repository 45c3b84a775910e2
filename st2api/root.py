"""The root: version and documentation for programs, the page for people; and who the caller is."""

from __future__ import annotations

from flask import Blueprint, Response, request

from st2api import web
from st2api.context import api
from st2common import STACKSTORM_VERSION
from st2common.auth.identity import Identity, Kind
from st2common.clock import isoformat, now_us
from st2common.http.authentication import identity, location, public
from st2common.http.authorization import any_user, enabled, rights
from st2common.http.responses import answer

DOCS_URL = "http://docs.stackstorm.com/3.9"

routes = Blueprint("root", __name__)


@routes.get("/")
@public
def root() -> Response:
    # Browsers name text/html; everything else (clients, curl) takes anything and gets JSON.
    if "text/html" in request.headers.get("Accept", ""):
        response = web.index(api().config)
    else:
        response = answer({"version": STACKSTORM_VERSION, "docs_url": DOCS_URL})
    response.vary.add("Accept")
    return response


@routes.get("/user")
@any_user
def user() -> Response:
    who = identity()
    authentication = {"method": str(who.kind), "location": location()}
    if who.kind is Kind.TOKEN:
        authentication["token_expire"] = _token_expire(who)
    return answer(
        {
            "username": who.user,
            "authentication": authentication,
            "rbac": {"enabled": enabled(), "roles": list(rights().roles), "is_admin": rights().is_admin},
        }
    )


def _token_expire(who: Identity) -> str:
    expires = who.expires
    if expires is None:
        # The token of an action lives as long as that. Clients insist on a time: a service's token would last so long.
        expires = now_us() + api().config.auth.service_token_ttl * 1_000_000
    return f"{isoformat(expires)[:19]}Z"
