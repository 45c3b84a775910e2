"""What is removed, and when; and the rules engine."""

from __future__ import annotations

from oslo_config import cfg

from st2common.config.groups.logfile import logging_file


def _after(what: str) -> str:
    return f"Days after which {what} are removed. 0 or not set: never. At least 1."


GROUPS: dict[str, list[cfg.Opt]] = {
    "garbagecollector": [
        cfg.IntOpt("collection_interval", default=600, min=1, help="Seconds between two looks for old data."),
        cfg.FloatOpt("sleep_delay", default=2.0, min=0.0, help="Seconds to rest between two pieces of work."),
        cfg.IntOpt(
            "action_executions_ttl",
            help="Days after which finished executions are removed with their output. 0 or not set: never. At least 1.",
        ),
        cfg.IntOpt(
            "action_executions_output_ttl",
            default=7,
            help="Days after which the output of finished executions is removed. 0: only with them. At least 1.",
        ),
        cfg.IntOpt("trigger_instances_ttl", help=_after("events that an engine has seen to")),
        cfg.IntOpt("rule_enforcements_ttl", help=_after("rule enforcements")),
        cfg.IntOpt("traces_ttl", help=_after("traces")),
        cfg.IntOpt("tokens_ttl", help=_after("expired tokens")),
        cfg.IntOpt("workflow_executions_ttl", help=_after("the progress of ended workflows")),
        cfg.BoolOpt(
            "purge_inquiries",
            default=False,
            help="Time out inquiries that nobody has answered within their ttl. Otherwise they wait for ever.",
        ),
        logging_file("garbagecollector"),
    ],
    "action_sensor": [
        cfg.BoolOpt(
            "enable",
            default=True,
            help="Fire core.st2.generic.actiontrigger when an execution has ended and an enabled rule waits for that.",
        ),
        cfg.ListOpt(
            "emit_when",
            default=["succeeded", "failed", "timeout", "canceled", "abandoned"],
            help="The statuses that it fires for.",
        ),
    ],
    "rulesengine": [
        cfg.IntOpt(
            "rule_rate_limit",
            default=0,
            min=0,
            help="How often a rule may run its action in a minute, in one engine. What is beyond is not run later, "
            "but recorded as a failed enforcement. 0: as often as events come.",
        ),
        cfg.IntOpt(
            "rule_loop_limit",
            default=0,
            min=0,
            help="How often a rule may match events of one trace, which is what a rule does that its own action "
            "triggers. 0: for ever.",
        ),
        logging_file("rulesengine"),
    ],
}
