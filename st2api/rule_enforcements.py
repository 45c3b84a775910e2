"""Rule enforcements: which rules matched which events, and what came of it."""

from __future__ import annotations

from flask import Blueprint, Response
from pymongo.collection import Collection

from st2api.context import api
from st2common.errors import NotFound
from st2common.http import query
from st2common.http.authorization import checks_objects, needs, require, rights
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer
from st2common.models import newest_first, trigger_instances
from st2common.models.connection import Document
from st2common.models.execution_view import to_api as execution_to_api
from st2common.models.executions import object_id
from st2common.models.rule_enforcements import RuleEnforcements, to_api
from st2common.models.trigger_instances import TriggerInstances
from st2common.rbac.executions import VIEW, may

FIELDS = ("id", "rule", "trigger_instance_id", "execution_id", "failure_reason", "enforced_at", "status")
VIEW_FIELDS = (*FIELDS, "trigger_instance", "execution")
_DEFAULT_LIMIT = 50
#: Filter -> stored field.
FILTERS = {
    "execution": "execution_id",
    "rule_ref": "rule.ref",
    "rule_id": "rule.id",
    "trigger_instance": "trigger_instance_id",
}

routes = Blueprint("rule_enforcements", __name__, url_prefix="/ruleenforcements")


@routes.get("")
@needs("rule_enforcement_list")
def list_enforcements() -> Response:
    """Newest first."""
    page, attributes = Page.of_request(_DEFAULT_LIMIT), Attributes.of_request(FIELDS, FIELDS)
    found, total = _found(page)
    return page.answer([attributes.select(to_api(stored)) for stored in found], total)


@routes.get("/views")
@needs("rule_enforcement_list")
def list_views() -> Response:
    """Each with its trigger instance and its execution."""
    page, attributes = Page.of_request(_DEFAULT_LIMIT), Attributes.of_request(VIEW_FIELDS, VIEW_FIELDS)
    found, total = _found(page)
    return page.answer([attributes.select(view) for view in _views(found)], total)


@routes.get("/<enforcement_id>")
@checks_objects
def get_enforcement(enforcement_id: str) -> Response:
    return answer(to_api(_visible(enforcement_id)))


@routes.get("/views/<enforcement_id>")
@checks_objects
def get_view(enforcement_id: str) -> Response:
    [view] = _views([_visible(enforcement_id)])
    return answer(view)


def _found(page: Page) -> tuple[list[Document], int]:
    filters = query.texts()
    conditions = {
        **{field: filters[name] for name, field in FILTERS.items() if name in filters},
        **newest_first.times(filters, "enforced_at", "enforced_at_gt", "enforced_at_lt"),
    }
    enforcements = RuleEnforcements(api().database).collection
    return newest_first.find(enforcements, conditions, "enforced_at", page.limit, page.offset)


def _visible(enforcement_id: str) -> Document:
    found = RuleEnforcements(api().database).get(enforcement_id)
    if found is None:
        raise NotFound(f'Unable to identify resource with id "{enforcement_id}".')
    pack = found["rule"]["ref"].partition(".")[0]
    require("rule_enforcement_view", found["rule"]["uid"], f"pack:{pack}")
    return found


def _views(found: list[Document]) -> list[Document]:
    instances = _by_id(TriggerInstances(api().database).collection, [each["trigger_instance_id"] for each in found])
    executions = _by_id(api().executions.collection, [each.get("execution_id") or "" for each in found])
    views = []
    for stored in found:
        view = to_api(stored)
        if instance := instances.get(stored["trigger_instance_id"]):
            view["trigger_instance"] = trigger_instances.to_api(instance)
        execution = executions.get(stored.get("execution_id") or "")
        if execution and may(rights(), VIEW, execution):
            view["execution"] = execution_to_api(execution, mask_secrets=api().masks_secrets())
        views.append(view)
    return views


def _by_id(collection: Collection[Document], ids: list[str]) -> dict[str, Document]:
    wanted = {"_id": {"$in": [identity for text in ids if (identity := object_id(text))]}}
    return {str(stored["_id"]): stored for stored in collection.find(wanted)}
