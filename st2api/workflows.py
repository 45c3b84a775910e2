"""Definitions of workflows: what is wrong with one, before it runs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2common.errors import ValidationError
from st2common.http import body
from st2common.http.authorization import any_user
from st2common.http.responses import answer
from st2common.services.workflow_actions import problems_with_actions
from st2common.workflows.inspection import inspect_text

DEFINITION: dict[str, Any] = {"type": "string", "description": "YAML"}

routes = Blueprint("workflows", __name__, url_prefix="/workflows")


@routes.post("/inspect")
@any_user
def inspect() -> Response:
    """Everything that is wrong with the workflow in the body, an Orquesta workflow or an action chain; ``[]`` when
    nothing is. Its actions are looked at when the rest is right."""
    text = body.parsed()
    if not isinstance(text, str):
        raise ValidationError("The definition of the workflow is expected as text/plain.")
    return answer([problem.as_json() for problem in inspect_text(text, problems_with_actions)])
