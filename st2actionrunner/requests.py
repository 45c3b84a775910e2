"""From an execution's document to what a runner module needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg
from pymongo.database import Database

from st2actionrunner.launch import RunRequest
from st2common.content.loader import load
from st2common.content.paths import pack_directory
from st2common.datastore.lookup import KeyLookup
from st2common.models.connection import Document
from st2common.services.parameters import split_for_run


class RequestBuilder:
    def __init__(self, config: cfg.ConfigOpts, database: Database[Document]) -> None:
        self._config = config
        self._database = database
        self._configs = Path(config.system.base_path) / "configs"
        # {pack: ((modification time, size), content)}
        self._pack_configs: dict[str, tuple[tuple[int, int], Mapping[str, Any]]] = {}
        self._api_url: str = config.auth.api_url or f"http://{config.api.host}:{config.api.port}"

    def build(self, document: Mapping[str, Any], directory: Path) -> RunRequest:
        """The request of one attempt, whose run directory is ``directory``.

        Raises:
            ValidationError: a default of the action cannot be rendered or does not fit its schema.
            ContentError: the configuration of the pack cannot be read.
        """
        action = document["action"]
        pack_config = self._pack_config(action["pack"])
        runner_parameters, action_parameters = split_for_run(
            action,
            document["runner"],
            document.get("parameters") or {},
            document["context"],
            config=pack_config,
            # What is decrypted now would not be known to the masker of the output.
            st2kv=KeyLookup(self._database, None, document["context"]),
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
            pack_config=pack_config,
        )

    def _pack_config(self, pack: str) -> Mapping[str, Any]:
        """The administrator's configuration of the pack; read again when its file changes."""
        path = self._configs / f"{pack}.yaml"
        try:
            found = path.stat()
        except FileNotFoundError:
            return {}
        known = self._pack_configs.get(pack)
        if known is None or known[0] != (found.st_mtime_ns, found.st_size):
            known = self._pack_configs[pack] = (found.st_mtime_ns, found.st_size), load(path)
        return known[1]
