"""Where things lie, and how the daemons log."""

from __future__ import annotations

from oslo_config import cfg

GROUPS: dict[str, list[cfg.Opt]] = {
    "system": [
        cfg.StrOpt("base_path", default="/opt/stackstorm", help="Base of packs, configs and virtual environments."),
        cfg.StrOpt(
            "state_path",
            default="/var/lib/st2",
            help="What the daemons keep on this host: process ids, their state, the output of running actions.",
        ),
        cfg.BoolOpt("validate_output_schema", default=False, help="Check results by the action's output schema."),
        cfg.BoolOpt(
            "validate_trigger_payload",
            default=True,
            help="Refuse events whose payload does not fit the schema of their trigger type.",
        ),
        cfg.BoolOpt("debug", default=False, help="Log at level DEBUG."),
    ],
    "content": [
        cfg.StrOpt(
            "system_packs_base_path",
            default="/opt/stackstorm/packs",
            help="Directory of the packs that belong to the platform.",
        ),
        cfg.StrOpt("packs_base_paths", help="More directories of packs, separated by colons; the first one wins."),
        cfg.StrOpt("pack_group", default="st2packs", help="Group that the files of installed packs belong to."),
        cfg.ListOpt(
            "index_url",
            default=["https://index.stackstorm.org/v1/index.json"],
            help="Indexes in which packs are found by name: https, http or file addresses; the first one wins.",
        ),
    ],
    "packs": [
        cfg.BoolOpt("enable_common_libs", default=False, help="Put a pack's lib directory on the path of its actions."),
    ],
    "log": [
        cfg.ListOpt("excludes", default=[], help="Loggers whose messages are dropped, with those below them."),
        cfg.StrOpt(
            "format",
            default="text",
            choices=["text", "json"],
            help="What a record looks like on stderr: text or one JSON object. A logging file decides by itself.",
        ),
        cfg.BoolOpt(
            "mask_secrets", default=True, help="Replace secrets in logs by a mask. Off also turns off api.mask_secrets."
        ),
        cfg.ListOpt("mask_secrets_blacklist", default=[], help="More names of parameters that count as secret."),
    ],
}
