"""How a workflow execution begins: its definition is read, and the first decision is made."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg
from pymongo.database import Database

from st2common.content import loader
from st2common.content.errors import ContentError
from st2common.content.paths import pack_directory
from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.errors import ValidationError
from st2common.models import runner_types
from st2common.models.connection import Document
from st2common.models.workflow_executions import WorkflowExecutions
from st2common.services.pack_configs import PackConfig
from st2common.services.parameters import split_for_run
from st2common.workflows import languages
from st2common.workflows.decision import Conductor, Decision

# Definitions that are kept as they were understood.
_KEPT = 128


@functools.lru_cache(maxsize=_KEPT)
def understood(runner_type: str, definition: str) -> languages.Spec:
    """What a stored definition means."""
    return languages.parse(runner_type, json.loads(definition))


def read_definition(config: cfg.ConfigOpts, action: Mapping[str, Any]) -> str:
    """The definition of a workflow, as it is stored.

    Raises:
        ValidationError: it is not on this host, or no YAML.
    """
    pack = pack_directory(config, action["pack"])
    if pack is None:
        raise ValidationError(f'The pack "{action["pack"]}" is not on this host.')
    if not action.get("entry_point"):
        raise ValidationError(f'The action "{action["ref"]}" has no entry point.')
    path = Path(os.path.normpath(pack / "actions" / action["entry_point"]))
    if not path.is_relative_to(os.path.normpath(pack)):
        raise ValidationError(f'The entry point "{path}" lies outside the pack directory "{pack}".')
    try:
        return json.dumps(loader.load(path))
    except ContentError as error:
        raise ValidationError(f"The workflow cannot be read: {error}") from error


def begin(
    config: cfg.ConfigOpts, database: Database[Document], execution: Document, conductor: Conductor, now: int
) -> Decision:
    """The first decision about an execution.

    Raises:
        ValidationError: a parameter of the workflow cannot be rendered.
    """
    action, context = execution["action"], execution["context"]
    keys = KeyAccess.of_config(config).without_secrets()
    own, inputs = split_for_run(
        action,
        execution["runner"],
        execution.get("parameters") or {},
        context,
        config=PackConfig(action["pack"], KeyLookup(database, keys.of_platform(), context)),
        st2kv=KeyLookup(database, keys, context),
    )
    about = {
        "action_execution_id": str(execution["_id"]),
        "workflow_execution_id": str(execution["_id"]),
        "api_url": _api_url(config),
        "user": context["user"],
        "pack": context["pack"],
        "action": action["ref"],
        "runner": execution["runner"]["name"],
        **{name: context[name] for name in ("api_user", "source_channel") if name in context},
    }
    if execution["runner"]["name"] in runner_types.ORQUESTA:
        return conductor.start(inputs, {"st2": about}, now)
    return conductor.start({**own, **inputs}, context, now)


def earlier_workflow(
    workflows: WorkflowExecutions, execution: Document
) -> tuple[Document, list[str], list[str]] | None:
    """For an execution that goes on with what another one has begun: its workflow, the tasks to run again, and those
    of them that are to forget what has succeeded. None for all others.

    Raises:
        ValidationError: the other workflow is not there any more.
    """
    again = execution["context"].get("re-run") or {}
    if not again.get("tasks"):
        return None
    workflow = workflows.get(again["ref"])
    if workflow is None:
        raise ValidationError(f'The workflow execution "{again["ref"]}" is not there any more.')
    return workflow, again["tasks"], again.get("reset") or []


def _api_url(config: cfg.ConfigOpts) -> str:
    url: str = config.auth.api_url or f"http://{config.api.host}:{config.api.port}"
    return url.removesuffix("/") + "/v1"
