"""From a registered sensor to what starts its process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg
from pymongo.database import Database

from st2common.auth.tokens import Tokens
from st2common.content.paths import pack_directory
from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.models.connection import Document
from st2common.runners.python_environment import (
    import_path,
    in_virtualenv,
    platform_path,
    public_part,
    site_packages,
    virtualenv_of,
)
from st2common.services.pack_configs import PackConfig, secrets_of
from st2reactor.container.child import Launch

#: As whom sensors use the API.
USER = "sensors_container"


class Launcher:
    def __init__(self, config: cfg.ConfigOpts, database: Database[Document]) -> None:
        self._config = config
        self._database = database
        self._tokens = Tokens(database)
        address = config.auth.api_url or f"http://{config.api.host}:{config.api.port}"
        self._api_url = address.removesuffix("/") + "/v1"
        self._base = Path(config.system.base_path)

    def launch(self, sensor: Mapping[str, Any], triggers: Sequence[Document]) -> Launch:
        """What starts the sensor, in whose triggers it is told.

        Raises:
            NoVirtualenv: its pack has none and needs one.
            ValidationError: the configuration of its pack cannot be used.
            PyMongoError: the database does not answer.
        """
        pack = sensor["pack"]
        virtualenv = virtualenv_of(self._base / "virtualenvs", pack)
        keys = KeyAccess.of_config(self._config).of_platform()
        pack_config = PackConfig(pack, KeyLookup(self._database, keys, {"user": USER}))
        order = self._order(sensor, virtualenv, dict(pack_config), triggers)
        token = self._token(sensor["ref"])
        return Launch(
            # -P: the working directory is no place to import from. -u: a line is seen when it is printed.
            argv=[self._python(virtualenv), "-P", "-u"],
            env=self._environment(pack, virtualenv, token),
            order=order,
            secrets=[*secrets_of(pack_config), *([token] if token else [])],
            token=token,
        )

    def renew(self, token: str) -> None:
        """Let the token of a sensor that runs live on."""
        self._tokens.extend(token, self.token_life)

    def revoke(self, token: str) -> None:
        self._tokens.revoke(token)

    @property
    def token_life(self) -> int:
        """Seconds."""
        life: int = self._config.auth.service_token_ttl
        return life

    def _python(self, virtualenv: Path | None) -> str:
        if virtualenv:
            return str(virtualenv / "bin" / "python")
        return self._config.actionrunner.python_binary or sys.executable

    def _token(self, reference: str) -> str | None:
        if not self._config.auth.enable:
            return None
        return self._tokens.create(USER, self.token_life, service=True, metadata={"sensor": reference}).token

    def _order(
        self, sensor: Mapping[str, Any], virtualenv: Path | None, pack_config: Document, triggers: Sequence[Document]
    ) -> Document:
        packages = site_packages(virtualenv) if virtualenv else None
        return {
            "pack": sensor["pack"],
            "class_name": sensor["name"],
            "file_path": sensor["file"],
            "config": pack_config,
            "config_path": str(self._base / "configs" / f"{sensor['pack']}.yaml"),
            "poll_interval": sensor.get("poll_interval"),
            "site_paths": [str(packages)] if packages else [],
            "triggers": list(triggers),
        }

    def _environment(self, pack: str, virtualenv: Path | None, token: str | None) -> dict[str, str]:
        directory = pack_directory(self._config, pack)
        common = directory / "lib" if directory and self._config.packs.enable_common_libs else None
        path = import_path(virtualenv, common, None, os.environ.get("PYTHONPATH", ""), platform_path())
        environment = {
            **in_virtualenv(public_part(os.environ), virtualenv),
            "PYTHONPATH": os.pathsep.join(path),
            "ST2_ACTION_PACK_NAME": pack,
            "ST2_ACTION_API_URL": self._api_url,
            "ST2_API_URL": self._api_url,
        }
        if token:
            environment |= {"ST2_ACTION_AUTH_TOKEN": token, "ST2_AUTH_TOKEN": token}
        return environment
