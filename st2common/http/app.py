"""The Flask application that every HTTP service is made from: the rules that hold on each of its paths.

Errors are ``{"faultstring": ...}`` whatever happened, requests have an id, browsers get the cross-origin headers, and
a path is found with any of the service's prefixes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus

from bson.errors import InvalidDocument
from flask import Flask, Response, request
from pymongo.errors import ConnectionFailure
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as NoSuchRoute

from st2common.errors import (
    AccessDenied,
    ConflictError,
    NotFound,
    St2Error,
    TooManyRequests,
    TransportError,
    Unauthorized,
    ValidationError,
)
from st2common.http import access_log
from st2common.http.cors import CrossOrigin
from st2common.http.paths import CanonicalPaths
from st2common.http.responses import fault
from st2common.output.log import LaterForm, LogUnavailable

LOG = logging.getLogger(__name__)

# Larger bodies are refused before they are read. A document of the database can hold 16 MiB, so nothing larger
# could ever be stored.
MAX_BODY_BYTES = 16 * 1024 * 1024

# Errors that are told as they are; of the others each has its own way.
_STATUS: dict[type[St2Error], int] = {NotFound: 404, Unauthorized: 401, AccessDenied: 403, ValidationError: 400}


def create_app(name: str, *, prefixes: Sequence[str], origins: Sequence[str]) -> Flask:
    """An application without routes.

    ``prefixes`` may stand before every path (``/v1``); ``origins`` are what browsers may read from, the first one is
    named to all others.
    """
    app = Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.merge_slashes = False
    cross_origin = CrossOrigin(origins)

    @app.before_request
    def before() -> Response | None:
        access_log.begin()
        if request.method == "OPTIONS":
            return Response(status=200)
        if cross_origin.refuses(request):
            return fault("Requests from this origin are not allowed.", 403)
        return None

    @app.after_request
    def after(response: Response) -> Response:
        cross_origin.decorate(request, response)
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Clients show the phrase to people: "404 Not Found", not werkzeug's "404 NOT FOUND".
        response.status = f"{response.status_code} {HTTPStatus(response.status_code).phrase}"
        access_log.finish(response)
        return response

    _register_errors(app)
    app.wsgi_app = CanonicalPaths(app.wsgi_app, prefixes)  # type: ignore[method-assign]
    return app


def _register_errors(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(St2Error, _st2_error)
    app.register_error_handler(InvalidDocument, _not_storable)
    app.register_error_handler(ConnectionFailure, _database_away)
    app.register_error_handler(LogUnavailable, _database_away)
    app.register_error_handler(Exception, _unexpected)


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, NoSuchRoute | MethodNotAllowed):
        # A known path with a method that it does not have is answered like an unknown path.
        return fault(str(NotFound()), 404)
    if isinstance(error, RequestEntityTooLarge):
        return fault(f"The request body is larger than {MAX_BODY_BYTES} bytes.", 413)
    return fault(error.description or error.name, error.code or 500)


def _st2_error(error: St2Error) -> Response:
    if isinstance(error, ConflictError):
        more = {"conflict-id": error.conflict_id} if error.conflict_id else {}
        return fault(str(error), 409, **more)
    if isinstance(error, TooManyRequests):
        response = fault(str(error), 429)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    for kind, status in _STATUS.items():
        if isinstance(error, kind):
            return fault(str(error), status)
    if isinstance(error, TransportError):
        LOG.error("The broker did not take a message: %s", error)
        return fault(str(error), 503)
    return _unexpected(error)


def _not_storable(error: InvalidDocument) -> Response:
    return fault(str(error), 400)


def _database_away(error: ConnectionFailure | LogUnavailable) -> Response:
    if isinstance(error, LaterForm):
        LOG.error("%s", error)
        return fault(str(error), 503)
    LOG.error("The database does not answer: %s", error)
    return fault("The database does not answer.", 503)


def _unexpected(error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, request.path.encode("unicode_escape").decode(), exc_info=error)
    return fault("Internal Server Error", 500)
