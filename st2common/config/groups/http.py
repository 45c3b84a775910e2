"""The HTTP services: where they listen and what they let through."""

from __future__ import annotations

from oslo_config import cfg

from st2common.config.groups.logfile import logging_file

GROUPS: dict[str, list[cfg.Opt]] = {
    "api": [
        cfg.HostAddressOpt("host", default="127.0.0.1", help="Address on which the API listens."),
        cfg.PortOpt("port", default=9101, help="Port on which the API listens."),
        cfg.ListOpt(
            "allow_origin",
            default=["http://127.0.0.1:3000"],
            help="Origins of web pages that may call the API and the stream (CORS).",
        ),
        cfg.BoolOpt("mask_secrets", default=True, help="Replace secrets in answers and events by a mask."),
        cfg.IntOpt("max_page_size", default=100, min=1, help="Largest page that a client may ask for."),
        cfg.BoolOpt("auth_cookie_secure", default=True, help="Browsers send the token cookie over https only."),
        cfg.StrOpt(
            "auth_cookie_same_site",
            default="lax",
            choices=["strict", "lax", "none", "unset"],
            help="Whether browsers send the token cookie for pages of other sites.",
        ),
        cfg.BoolOpt("debug", default=False, help="Log every request with its answer's status."),
        logging_file("api"),
    ],
    "stream": [
        cfg.HostAddressOpt("host", default="127.0.0.1", help="Address on which the event stream listens."),
        cfg.PortOpt("port", default=9102, help="Port on which the event stream listens."),
        cfg.IntOpt(
            "heartbeat", default=25, min=1, help="Seconds between two signs of life on a connection without events."
        ),
        cfg.IntOpt(
            "max_streams",
            default=4000,
            min=1,
            help="Most streams, of output and of events, that one process of the stream service or the API has open. "
            "A process answers 4096 connections at a time, streams included.",
        ),
        cfg.IntOpt(
            "max_streams_per_user",
            default=500,
            min=1,
            help="Most of them that one user has. No limit without [auth] enable: nobody knows who has them then.",
        ),
        cfg.BoolOpt("debug", default=False, help="Log every request with its answer's status."),
        logging_file("stream"),
    ],
    "monitoring": [
        cfg.HostAddressOpt(
            "host", default="127.0.0.1", help="Address on which daemons without HTTP tell how they are."
        ),
        cfg.DictOpt(
            "ports",
            default={},
            sample_default={"st2actionrunner": "9110", "st2garbagecollector": "9104"},
            help="The port of each such daemon, as name:port, ...; without a port, or with 0, it does not listen. "
            "Several processes of one daemon on a host take the next free ports.",
        ),
    ],
    "webui": [
        cfg.StrOpt("webui_base_url", help="Where people find the web page: links to executions begin with it."),
    ],
}
