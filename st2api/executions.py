"""Executions: start, find, watch the state of, repeat and cancel them."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request

from st2api.context import api
from st2api.execution_schemas import CHANGE, CREATE, REPEAT, SECRETS
from st2common.datastore.lookup import KeyAccess
from st2common.errors import ValidationError
from st2common.http import authentication, body, query
from st2common.http.authorization import checks_objects, enabled, needs, require_admin, require_execute, rights
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer, fault, no_content
from st2common.http.visible_executions import visible
from st2common.models import execution_list, execution_tree
from st2common.models.connection import Document
from st2common.models.execution_view import EXCLUDABLE, FIELDS, projection, select, to_api
from st2common.models.statuses import COMPLETED, Status
from st2common.rbac.executions import STOP, VIEW, may
from st2common.services import registered_secrets, results, waiting
from st2common.services.cancellation import NotCancelable, cancel_execution
from st2common.services.executions import request_execution
from st2common.services.pausing import pause_execution, resume_execution
from st2common.services.reruns import rerun_execution

# What a client can ask for beside the end.
_CHANGES = {
    Status.PAUSING: pause_execution,
    Status.PAUSED: pause_execution,
    Status.RESUMING: resume_execution,
}
# The largest result that a client may ask to get within an execution.
_MAX_RESULT_SIZE = 14 * 1024 * 1024
# The field that only one execution by itself has: to find it out costs queries.
WAITING = "waiting"

routes = Blueprint("executions", __name__, url_prefix="/executions")


def shown(stored: Document) -> Document:
    """The execution as this request may see it."""
    return to_api(stored, api().masks_secrets(), api().config.webui.webui_base_url)


@routes.get("")
@needs("execution_list")
def list_executions() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(FIELDS, EXCLUDABLE)
    selection = visible(execution_list.of_filters(query.texts()))
    collection = api().executions.collection
    total = execution_list.count(collection, selection)
    found = execution_list.find(collection, selection, page.limit, page.offset, _fields(attributes), total)
    for stored in found:
        results.complete(stored, api().log, limit=0)
    if attributes.wanted("children"):
        execution_tree.name_children(collection, found)
    items = [select(shown(stored), attributes.include, attributes.exclude) for stored in found]
    return page.answer(items, total)


@routes.get("/<execution_id>")
@checks_objects
def get_execution(execution_id: str) -> Response:
    """One execution. Of an unfinished one ``waiting`` says in words why it does not start or go on, if so."""
    attributes = Attributes.of_request((*FIELDS, WAITING), (*EXCLUDABLE, WAITING))
    stored = api().find_execution(execution_id, _fields(attributes))
    limit = query.integer("max_result_size")
    if limit is not None:
        if not 0 < limit <= _MAX_RESULT_SIZE:
            raise ValidationError(f'Parameter "max_result_size" must be between 1 and {_MAX_RESULT_SIZE}')
        if (stored.get("result_size") or 0) > limit:
            stored.pop("result", None)
    results.complete(stored, api().log, results.OUTPUT_IN_EXECUTION)
    if attributes.wanted("children"):
        execution_tree.name_children(api().executions.collection, [stored])
    selected = select(shown(stored), attributes.include, attributes.exclude)
    if attributes.wanted(WAITING) and stored.get("status") not in COMPLETED:
        reason = waiting.why(api().database, str(stored["_id"]), broker_healthy=api().transport.healthy())
        if reason:
            selected[WAITING] = reason
    return answer(selected)


@routes.get("/<execution_id>/attribute/<name>")
@checks_objects
def get_attribute(execution_id: str, name: str) -> Response:
    """The bare value of one field."""
    if name not in EXCLUDABLE:
        raise ValidationError(f'Invalid attribute "{name}" specified.')
    stored = api().find_execution(execution_id, _fields(Attributes(include=(name,))))
    results.complete(stored, api().log, results.OUTPUT_IN_EXECUTION)
    return answer(shown(stored).get(name))


@routes.get("/<execution_id>/children")
@checks_objects
def list_children(execution_id: str) -> Response:
    """All executions below this one, flat: each followed by its own, or by start (``result_fmt=sorted``)."""
    depth = query.integer("depth")
    levels = execution_tree.MAX_DEPTH if depth is None or depth < 0 else min(depth, execution_tree.MAX_DEPTH)
    parent = api().find_execution(execution_id, {"_id": 1})
    found = execution_tree.descendants(api().executions.collection, str(parent["_id"]), levels)
    for stored in found:
        results.complete(stored, api().log, limit=0)
    if query.text("result_fmt") == "sorted":
        found.sort(key=lambda stored: stored["start_timestamp"])
    return answer([shown(stored) for stored in found if may(rights(), VIEW, stored)])


@routes.post("")
@checks_objects
def create_execution() -> Response:
    wanted = body.checked(CREATE)
    require_execute(wanted["action"])
    stored = request_execution(
        api().database,
        api().transport,
        action_ref=wanted["action"],
        parameters=wanted.get("parameters") or {},
        user=api().acting_user(wanted.get("user")),
        context=api().told_context({**(wanted.get("context") or {}), **_context_header(), **_who_may()}),
        delay=wanted.get("delay"),
        notify=wanted.get("notify"),
        keys=KeyAccess.of_config(api().config),
        web_base_url=api().config.webui.webui_base_url,
    )
    return answer(shown(stored), 201)


@routes.post("/<execution_id>/re_run")
@checks_objects
def repeat_execution(execution_id: str) -> Response:
    wanted = body.checked(REPEAT)
    parameters, tasks, reset = wanted.get("parameters") or {}, wanted.get("tasks") or [], wanted.get("reset") or []
    if parameters and (tasks or reset):
        raise ValidationError("Parameters override is not supported when re-running task(s) for a workflow.")
    if not set(reset) <= set(tasks):
        raise ValidationError("List of tasks to reset does not match the tasks to rerun.")
    earlier = api().find_execution(execution_id, {"action.ref": 1})
    require_execute(earlier["action"]["ref"])
    stored = rerun_execution(
        api().database,
        api().transport,
        execution_id=str(earlier["_id"]),
        parameters=parameters,
        user=api().acting_user(wanted.get("user")),
        tasks=tasks,
        reset=reset,
        context=api().told_context(),
        delay=wanted.get("delay"),
        keys=KeyAccess.of_config(api().config),
        web_base_url=api().config.webui.webui_base_url,
    )
    return answer(shown(stored), 201)


@routes.post("/<execution_id>/secrets")
@checks_objects
def register_secrets(execution_id: str) -> Response:
    """For the running action itself: what it prints from now on shows none of these texts."""
    if authentication.identity().execution_id != execution_id:
        require_admin()
    registered_secrets.register(api().database, api().transport, execution_id, body.checked(SECRETS)["secrets"])
    return no_content()


@routes.delete("/<execution_id>")
@checks_objects
def delete_execution(execution_id: str) -> Response:
    """Cancel. Clients expect "cannot be canceled" as an answer of success."""
    stored = api().find_execution(execution_id, {"_id": 1}, STOP)
    try:
        return answer(shown(_cancel(str(stored["_id"]))))
    except NotCancelable as error:
        return fault(str(error), 200)


@routes.put("/<execution_id>")
@checks_objects
def change_execution(execution_id: str) -> Response:
    """Ask for another status: the end, and of workflows a pause, or to go on. How it ends the platform says."""
    status = Status(body.checked(CHANGE)["status"])
    stored = api().find_execution(execution_id, {"status": 1}, STOP)
    if Status(stored["status"]) in COMPLETED:
        raise ValidationError("Execution is already in completed state.")
    if status in (Status.CANCELING, Status.CANCELED):
        return answer(shown(_cancel(str(stored["_id"]))))
    if change := _CHANGES.get(status):
        return answer(
            shown(
                change(
                    api().database,
                    api().transport,
                    execution_id=str(stored["_id"]),
                    user=api().user,
                    web_base_url=api().config.webui.webui_base_url,
                )
            )
        )
    raise ValidationError(f'Failed updating execution. Clients cannot set the status "{status}".')


def _cancel(execution_id: str) -> Document:
    return cancel_execution(
        api().database,
        api().transport,
        execution_id=execution_id,
        user=api().user,
        web_base_url=api().config.webui.webui_base_url,
    )


def _who_may() -> Document:
    """For the context of an execution: the roles with which it was allowed."""
    return {"rbac": {"user": rights().user, "roles": list(rights().roles)}} if enabled() else {}


def _context_header() -> Document:
    """What a client adds to the context of an execution: a JSON object in the header ``st2-context``."""
    text = request.headers.get("st2-context")
    if not text:
        return {}
    try:
        added = json.loads(text)
    except ValueError as error:
        raise ValidationError(f"Unable to convert st2-context from the headers into JSON: {error}") from None
    if not isinstance(added, dict):
        raise ValidationError("The header st2-context is not a JSON object")
    return added


def _fields(attributes: Attributes) -> dict[str, int] | None:
    """What to read for these attributes; the result's size and its missing output go with the result."""
    fields = projection(attributes.include, attributes.exclude)
    if fields and "result" in fields and fields["result"]:
        return {**fields, "output_in_log": 1, "result_size": 1}
    return fields
