"""Traces: what followed from one event or one request."""

from __future__ import annotations

from flask import Blueprint, Response

from st2api.context import api
from st2common.http import query
from st2common.http.authorization import checks_objects, needs, require
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer
from st2common.services.traces import find_traces, get_trace

FIELDS = ("id", "uid", "trace_tag", "trigger_instances", "rules", "action_executions", "start_timestamp")

routes = Blueprint("traces", __name__, url_prefix="/traces")


@routes.get("")
@needs("trace_list")
def list_traces() -> Response:
    """Newest first unless ``sort_asc=True``."""
    page, attributes = Page.of_request(), Attributes.of_request(FIELDS, FIELDS)
    found, total = find_traces(
        api().database,
        query.texts(),
        oldest_first=query.text("sort_asc") == "True",
        limit=page.limit,
        offset=page.offset,
    )
    return page.answer([attributes.select(trace) for trace in found], total)


@routes.get("/<trace_id>")
@checks_objects
def get_one_trace(trace_id: str) -> Response:
    found = get_trace(api().database, trace_id)
    require("trace_view", found["uid"])
    return answer(found)
