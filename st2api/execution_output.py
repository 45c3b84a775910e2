"""What an execution printed, and its result as a document of its own."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator

from flask import Blueprint, Response

from st2api.context import api
from st2common.http import query
from st2common.http.authorization import checks_objects, rights
from st2common.http.raw_output import PLAIN_TEXT
from st2common.http.responses import dumps
from st2common.models import execution_tree
from st2common.models.execution_view import projection, to_api
from st2common.models.runner_types import WORKFLOWS
from st2common.output.chunk import Chunk, Stream
from st2common.output.reader import Reader
from st2common.rbac.executions import VIEW, may
from st2common.services import results

routes = Blueprint("execution_output", __name__, url_prefix="/executions")


@routes.get("/<execution_id>/output")
@checks_objects
def get_output(execution_id: str) -> Response:
    """What is stored now of both streams in the order in which it was read, or of the one that is asked for. Of a
    workflow it is that of its steps, one after the other."""
    kind = query.text("output_type") or "all"
    execution = api().find_execution(execution_id, {"runner.name": 1})
    if kind != "all" and kind not in set(Stream):
        return Response("", content_type=PLAIN_TEXT)
    stream = None if kind == "all" else Stream(kind)
    if execution["runner"]["name"] in WORKFLOWS:
        found = execution_tree.descendants(api().executions.collection, str(execution["_id"]))
        executions = [str(step["_id"]) for step in found if may(rights(), VIEW, step)]
    else:
        executions = [str(execution["_id"])]
    # Made now: when they are read the request is over.
    readers = [Reader(api().log, api().bells, identity, stream) for identity in executions]
    pieces = itertools.chain.from_iterable(_stored(reader) for reader in readers)
    # The first page is read before the answer begins, so that a database that is away is an error and no empty text.
    first = next(pieces, b"")
    return Response(itertools.chain([first], pieces), content_type=PLAIN_TEXT)


def _stored(reader: Reader) -> Iterator[bytes]:
    for chunk in reader.snapshot():
        if isinstance(chunk, Chunk):
            yield chunk.data


@routes.get("/<execution_id>/result")
@checks_objects
def get_result(execution_id: str) -> Response:
    """The bare result. ``download`` makes browsers store it, ``compress`` gzips it, ``pretty_format`` indents it."""
    fields = projection(["result"])
    stored = api().find_execution(execution_id, {**fields, "output_in_log": 1} if fields else None)
    results.complete(stored, api().log, results.OUTPUT_IN_RESULT)
    text = dumps(to_api(stored, api().masks_secrets()).get("result", {}))
    if query.boolean("pretty_format"):
        text = json.dumps(json.loads(text), indent=4)
    compress = query.boolean("compress")
    data = gzip.compress(text.encode()) if compress else text.encode()
    response = Response(data, content_type="application/x-gzip" if compress else "text/json")
    if compress:
        response.headers["Content-Encoding"] = "gzip"
    if query.boolean("download"):
        name = f"execution_{stored['_id']}_result.json{'.gz' if compress else ''}"
        response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response
