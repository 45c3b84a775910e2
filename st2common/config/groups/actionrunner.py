"""How actions are run."""

from __future__ import annotations

import sys

from oslo_config import cfg

from st2common.config.groups.logfile import logging_file

GROUPS: dict[str, list[cfg.Opt]] = {
    "actionrunner": [
        cfg.BoolOpt(
            "stream_output",
            default=False,
            help="Store and show the output of an action while it runs. When off, the output is there at its end.",
        ),
        cfg.FloatOpt(
            "output_flush_interval",
            default=0.0,
            min=0.0,
            help="Seconds between two writes of one action's output, at least. 0: each as soon as the last is done.",
        ),
        cfg.IntOpt(
            "max_output_bytes",
            default=1024**3,
            min=1,
            help="Most bytes of output that one action may have, both streams together. Beyond that it goes on, and "
            "its output ends with a line that says so.",
        ),
        cfg.IntOpt("actions_pool_size", default=60, min=1, help="Most actions that one runner runs at the same time."),
        cfg.IntOpt(
            "exit_timeout",
            default=30,
            min=0,
            help="Seconds that stopping the platform waits for running actions. After that they go on without "
            "the runner and are picked up when it starts again.",
        ),
        cfg.StrOpt(
            "python_binary",
            default=sys.executable,
            sample_default="/usr/bin/python3",
            help="Python that runs python actions of packs without a virtual environment; the one of the runner itself "
            "if not given.",
        ),
        cfg.StrOpt(
            "python_runner_log_level",
            default="DEBUG",
            ignore_case=True,
            regex="^(DEBUG|INFO|WARNING|ERROR|CRITICAL|AUDIT)$",
            help="Log level of python actions that do not choose one: DEBUG, INFO, WARNING, ERROR, CRITICAL or AUDIT.",
        ),
        cfg.ListOpt(
            "pip_opts",
            default=[],
            help="Options for pip when it installs the requirements of a pack, such as --index-url=https://...",
        ),
        logging_file("actionrunner"),
    ],
    "system_user": [
        cfg.StrOpt("user", default="stanley", help="User as whom shell actions run."),
        cfg.StrOpt(
            "ssh_key_file", default="/home/stanley/.ssh/stanley_rsa", help="Private key for actions on other hosts."
        ),
    ],
    "ssh_runner": [
        cfg.StrOpt("remote_dir", default="/tmp", help="Directory on the remote host for scripts."),  # noqa: S108
        cfg.IntOpt("max_parallel_actions", default=50, min=1, help="Most hosts that one action talks to at a time."),
        cfg.BoolOpt(
            "allow_partial_failure", default=False, help="Count an action as succeeded when it did so on some hosts."
        ),
        cfg.BoolOpt("use_ssh_config", default=False, help="Follow ssh_config_file_path."),
        cfg.StrOpt("ssh_config_file_path", default="~/.ssh/config", help="OpenSSH client configuration."),
        cfg.IntOpt("ssh_connect_timeout", default=60, min=1, help="Seconds to wait for a connection."),
        cfg.StrOpt(
            "known_hosts_file",
            default="~/.ssh/known_hosts",
            help="Keys of the hosts that may be talked to. A host with another key is always refused.",
        ),
        cfg.BoolOpt(
            "trust_on_first_use",
            default=False,
            help="Accept the key of a host that known_hosts_file does not name, and write it there.",
        ),
    ],
}
