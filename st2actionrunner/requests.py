"""From an execution's document to what a runner module needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg

from st2actionrunner.launch import RunRequest
from st2common.content.paths import pack_directory
from st2common.services.parameters import split_for_run


class RequestBuilder:
    def __init__(self, config: cfg.ConfigOpts) -> None:
        self._config = config
        self._api_url: str = config.auth.api_url or f"http://{config.api.host}:{config.api.port}"

    def build(self, document: Mapping[str, Any], directory: Path) -> RunRequest:
        """The request of one attempt, whose run directory is ``directory``.

        Raises:
            ValidationError: a default of the action cannot be rendered or does not fit its schema.
        """
        action = document["action"]
        runner_parameters, action_parameters = split_for_run(
            action, document["runner"], document.get("parameters") or {}, document["context"]
        )
        pack_path = pack_directory(self._config, action["pack"])
        entry_point = pack_path / "actions" / action["entry_point"] if action.get("entry_point") and pack_path else None
        return RunRequest(
            execution_id=str(document["_id"]),
            attempt=document["attempt"],
            action=action,
            runner_parameters=runner_parameters,
            action_parameters=action_parameters,
            context=document["context"],
            directory=directory,
            pack_path=pack_path,
            entry_point=entry_point,
            api_url=self._api_url.removesuffix("/") + "/v1",
        )
