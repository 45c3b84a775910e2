"""What the actions of the pack ``packs`` share: the platform's configuration, proxies, and the API."""

from __future__ import annotations

import os
from functools import cached_property, partial
from typing import Any

from oslo_config import cfg

from st2common import config as configuration
from st2common.content import pack_index
from st2common.runners.action_service import request
from st2common.runners.base_action import Action

#: A line of progress, there as soon as it is printed.
tell = partial(print, flush=True)

_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
# What git, pip and Python's own client each call a file of certificates.
_CERTIFICATES = ("GIT_SSL_CAINFO", "PIP_CERT", "SSL_CERT_FILE")


class PackAction(Action):
    @cached_property
    def platform(self) -> cfg.ConfigOpts:
        """The configuration of the platform: the runner hands on what it says about content."""
        self._use_proxies()
        return configuration.load([], prog="packs")

    def index(self) -> pack_index.PackIndex:
        return pack_index.fetch(self.platform.content.index_url)

    def register(self, packs: list[str], kinds: list[str]) -> dict[str, int]:
        """{kind: how many}"""
        counts: dict[str, int] = request("POST", "/packs/register", body={"packs": packs, "types": kinds})
        return counts

    def unregister(self, packs: list[str]) -> dict[str, int]:
        """{kind: how many}"""
        counts: dict[str, int] = request("POST", "/packs/unregister", body={"packs": packs})
        return counts

    def _use_proxies(self) -> None:
        values: dict[str, Any] = {name: self.config.get(name) for name in _PROXIES}
        if values["http_proxy"] or values["https_proxy"]:
            os.environ.update({name: value for name, value in values.items() if value})
        if bundle := self.config.get("proxy_ca_bundle_path"):
            os.environ.update(dict.fromkeys(_CERTIFICATES, bundle))
