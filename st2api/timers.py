"""Timers: which there are, when each fires next and why one does not."""

from __future__ import annotations

from flask import Blueprint, Response

from st2api.context import api
from st2common.errors import NotFound, ValidationError
from st2common.http import query
from st2common.http.authorization import checks_objects, needs, require
from st2common.http.paging import Page
from st2common.http.responses import answer
from st2common.models import timers, triggers
from st2common.models.connection import Document
from st2common.models.timers import Timers
from st2common.models.trigger_types import TIMERS

routes = Blueprint("timers", __name__, url_prefix="/timers")


@routes.get("")
@needs("timer_list")
def list_timers() -> Response:
    """Those of one ``timer_type``, or all."""
    page = Page.of_request(default_limit=None)
    wanted = query.text("timer_type")
    if wanted not in (None, *TIMERS):
        raise ValidationError(f'Timer type "{wanted}" is none of {", ".join(TIMERS)}')
    found, total = triggers.find([wanted] if wanted else TIMERS, page.limit, page.offset)
    return page.answer(_with_state(found), total)


@routes.get("/<ref_or_id>")
@checks_objects
def get_timer(ref_or_id: str) -> Response:
    found = triggers.get(ref_or_id)
    if found is None or found["type"] not in TIMERS:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    require("timer_view", found["uid"])
    return answer(_with_state([found])[0])


def _with_state(found: list[Document]) -> list[Document]:
    """Each with ``timer``: when it fires, where an engine has seen it."""
    states = Timers(api().database).find([trigger["id"] for trigger in found])
    return [
        {**trigger, "timer": timers.to_api(states[trigger["id"]])} if trigger["id"] in states else trigger
        for trigger in found
    ]
