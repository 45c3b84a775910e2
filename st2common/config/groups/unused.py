"""Options of the StackStorm family that existing files carry and this platform does not use.

They are known so that such files load without a warning and with the same check of types. An option moves from here to
the module of its topic when something begins to read it.
"""

from __future__ import annotations

from oslo_config import cfg

from st2common.config.groups.logfile import logging_file

GROUPS: dict[str, list[cfg.Opt]] = {
    "actionrunner": [
        cfg.IntOpt("stream_output_buffer_size", default=-1),
        cfg.IntOpt("workflows_pool_size", default=40),
        cfg.BoolOpt("graceful_shutdown", default=True),
        cfg.IntOpt("exit_still_active_check", default=300),
        cfg.IntOpt("still_active_check_interval", default=2),
        cfg.StrOpt("virtualenv_binary", default="/usr/bin/virtualenv"),
        cfg.ListOpt("virtualenv_opts", default=["--system-site-packages"]),
        cfg.StrOpt("python3_binary"),
        cfg.StrOpt("python3_prefix"),
    ],
    "auth": [
        cfg.BoolOpt("debug", default=False),
        cfg.BoolOpt("sso", default=False),
        cfg.StrOpt("sso_backend", default="noop"),
        cfg.StrOpt("sso_backend_kwargs", secret=True),
    ],
    "content": [
        cfg.StrOpt("system_runners_base_path", default="/opt/stackstorm/runners"),
        cfg.StrOpt("runners_base_paths"),
    ],
    "coordination": [
        cfg.StrOpt("url", secret=True),
        cfg.IntOpt("lock_timeout", default=60),
        cfg.BoolOpt("service_registry", default=False),
    ],
    "database": [
        cfg.IntOpt("connection_retry_max_delay_m", default=3),
        cfg.IntOpt("connection_retry_backoff_max_s", default=10),
        cfg.IntOpt("connection_retry_backoff_mul", default=1),
        cfg.StrOpt("ssl_keyfile"),
        cfg.StrOpt("ssl_certfile"),
        cfg.StrOpt("ssl_cert_reqs"),
        cfg.BoolOpt("ssl_match_hostname", default=True),
    ],
    "exporter": [cfg.StrOpt("dump_dir", default="/opt/stackstorm/exports/"), logging_file("exporter")],
    "garbagecollector": [
        cfg.IntOpt("task_executions_ttl"),
    ],
    "log": [cfg.BoolOpt("redirect_stderr", default=False)],
    "messaging": [
        cfg.StrOpt("prefix", default="st2"),
        cfg.StrOpt("compression"),
        cfg.IntOpt("connection_retries", default=10),
        cfg.IntOpt("connection_retry_wait", default=10000),
    ],
    "metrics": [
        cfg.StrOpt("driver", default="noop"),
        cfg.StrOpt("host", default="127.0.0.1"),
        cfg.PortOpt("port", default=8125),
        cfg.StrOpt("prefix"),
        cfg.FloatOpt("sample_rate", default=1.0),
    ],
    "notifier": [logging_file("notifier")],
    "rbac": [cfg.StrOpt("backend", default="noop")],
    "resultstracker": [
        cfg.FloatOpt("query_interval", default=5.0),
        cfg.FloatOpt("empty_q_sleep_time", default=1.0),
        cfg.FloatOpt("no_workers_sleep_time", default=1.0),
        cfg.IntOpt("thread_pool_size", default=10),
        logging_file("resultstracker"),
    ],
    "scheduler": [
        cfg.IntOpt("pool_size", default=10),
        cfg.FloatOpt("sleep_interval", default=0.1),
        cfg.FloatOpt("gc_interval", default=10.0),
        cfg.IntOpt("retry_max_attempt", default=10),
        cfg.IntOpt("retry_wait_msec", default=3000),
        cfg.FloatOpt("execution_scheduling_timeout_threshold_min", default=1.0),
        logging_file("scheduler"),
    ],
    "schema": [
        cfg.IntOpt("version", default=4),
        cfg.StrOpt("draft", default="http://json-schema.org/draft-04/schema#"),
    ],
    "syslog": [
        cfg.StrOpt("host", default="127.0.0.1"),
        cfg.PortOpt("port", default=514),
        cfg.StrOpt("facility", default="local7"),
        cfg.StrOpt("protocol", default="udp"),
    ],
    "system": [
        cfg.BoolOpt("validate_trigger_parameters", default=True),
    ],
    "timer": [
        cfg.BoolOpt("enable"),
        cfg.StrOpt("local_timezone"),
        cfg.StrOpt("logging"),
    ],
    "timersengine": [
        cfg.StrOpt("local_timezone", default="America/Los_Angeles"),
        logging_file("timersengine"),
    ],
    "workflow_engine": [
        cfg.IntOpt("gc_max_idle_sec", default=0),
        cfg.IntOpt("retry_max_jitter_msec", default=1000),
        cfg.IntOpt("retry_stop_max_msec", default=60000),
        cfg.IntOpt("retry_wait_fixed_msec", default=1000),
        logging_file("workflowengine"),
    ],
}
