"""What the runners need to know of the configuration."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from st2common.runners.python_environment import platform_path

_CONTENT_OPTIONS = (
    "system.base_path",
    "content.system_packs_base_path",
    "content.packs_base_paths",
    "content.pack_group",
    "content.index_url",
    "actionrunner.python_binary",
    "actionrunner.pip_opts",
)


@dataclass(frozen=True)
class SshSettings:
    key_file: str
    remote_dir: str
    max_parallel: int
    allow_partial_failure: bool
    #: Path of the OpenSSH client configuration to follow, or None.
    config_file: str | None
    #: Seconds.
    connect_timeout: int
    known_hosts_file: str
    trust_on_first_use: bool


@dataclass(frozen=True)
class RunnerSettings:
    #: Whom shell actions run as, here and on other hosts.
    system_user: str
    python: str
    #: Where pack virtual environments lie.
    virtualenvs: Path
    #: Where the configurations of packs lie.
    configs: Path
    enable_common_libs: bool
    python_log_level: str
    ssh: SshSettings
    #: What the configuration says about content, as environment variables: no more than an action may know.
    content_options: Mapping[str, str]
    #: Import path of the platform itself: actions in other interpreters import st2common and what it needs.
    platform_path: tuple[str, ...]

    @classmethod
    def from_config(cls, config: cfg.ConfigOpts) -> RunnerSettings:
        return cls(
            system_user=config.system_user.user,
            python=config.actionrunner.python_binary or sys.executable,
            virtualenvs=Path(config.system.base_path) / "virtualenvs",
            configs=Path(config.system.base_path) / "configs",
            enable_common_libs=config.packs.enable_common_libs,
            python_log_level=config.actionrunner.python_runner_log_level.upper(),
            ssh=_ssh(config),
            content_options=_content_options(config),
            platform_path=platform_path(),
        )


def _ssh(config: cfg.ConfigOpts) -> SshSettings:
    options = config.ssh_runner
    return SshSettings(
        key_file=config.system_user.ssh_key_file,
        remote_dir=options.remote_dir,
        max_parallel=options.max_parallel_actions,
        allow_partial_failure=options.allow_partial_failure,
        config_file=options.ssh_config_file_path if options.use_ssh_config else None,
        connect_timeout=options.ssh_connect_timeout,
        known_hosts_file=options.known_hosts_file,
        trust_on_first_use=options.trust_on_first_use,
    )


def _content_options(config: cfg.ConfigOpts) -> dict[str, str]:
    values = {name: config[name.split(".")[0]][name.split(".")[1]] for name in _CONTENT_OPTIONS}
    return {
        f"ST2_{name.replace('.', '__')}".upper(): ",".join(value) if isinstance(value, list) else str(value)
        for name, value in values.items()
        if value is not None
    }
