"""From an execution's document to what a runner module needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg
from pymongo.database import Database

from st2actionrunner.keeper_client import kept_token
from st2actionrunner.launch import RunRequest
from st2common.auth import action_tokens
from st2common.content.paths import pack_directory
from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.models.connection import Document
from st2common.services.pack_configs import PackConfig, secrets_of
from st2common.services.parameters import split_for_run

# Runners whose actions get the configuration of their pack; all others see it in templates only.
_CONFIGURED = frozenset({"python-script"})


class RequestBuilder:
    def __init__(self, config: cfg.ConfigOpts, database: Database[Document]) -> None:
        self._config = config
        self._database = database
        self._api_url: str = config.auth.api_url or f"http://{config.api.host}:{config.api.port}"

    def build(self, document: Mapping[str, Any], directory: Path) -> RunRequest:
        """The request of one attempt, whose run directory is ``directory``.

        Raises:
            ValidationError: a default of the action, or the configuration of its pack, cannot be rendered or does not
                fit its schema.
        """
        action = document["action"]
        keys = KeyAccess.of_config(self._config)
        pack_config = PackConfig(action["pack"], KeyLookup(self._database, keys.of_platform(), document["context"]))
        runner_parameters, action_parameters = split_for_run(
            action,
            document["runner"],
            document.get("parameters") or {},
            document["context"],
            config=pack_config,
            # What is decrypted now would not be known to the masker of the output.
            st2kv=KeyLookup(self._database, keys.without_secrets(), document["context"]),
        )
        pack_path = pack_directory(self._config, action["pack"])
        entry_point = pack_path / "actions" / action["entry_point"] if action.get("entry_point") and pack_path else None
        auth_token = document.get(action_tokens.PLAIN) or kept_token(directory)
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
            auth_token=auth_token,
            api_url=self._api_url.removesuffix("/") + "/v1",
            pack_config=dict(pack_config) if document["runner"]["name"] in _CONFIGURED else {},
            secrets=(*secrets_of(pack_config), *([auth_token] if auth_token else ())),
        )
