"""The broker and the database."""

from __future__ import annotations

from oslo_config import cfg

GROUPS: dict[str, list[cfg.Opt]] = {
    "messaging": [
        cfg.StrOpt(
            "url",
            default="amqp://guest:guest@127.0.0.1:5672//",
            secret=True,
            help="The RabbitMQ node: amqp://user:password@host:port/virtual-host (amqps:// for TLS).",
        ),
        cfg.ListOpt(
            "cluster_urls", default=[], secret=True, help="All nodes of a RabbitMQ cluster; used instead of url."
        ),
        cfg.BoolOpt("ssl", default=False, help="Talk TLS to the broker."),
        cfg.StrOpt("ssl_keyfile", help="Private key of the client's certificate."),
        cfg.StrOpt("ssl_certfile", help="The client's certificate."),
        cfg.StrOpt(
            "ssl_cert_reqs",
            choices=[
                ("none", "not checked"),
                ("optional", "checked if there is one"),
                ("required", "checked, and there must be one"),
            ],
            help="Whether the broker's certificate, and the name in it, are checked; required if not given.",
        ),
        cfg.StrOpt(
            "ssl_ca_certs",
            help="Certificates of the authorities that may vouch for the broker; the system's if not given.",
        ),
        cfg.StrOpt("login_method", help="How to log in: PLAIN, AMQPLAIN or EXTERNAL."),
    ],
    "database": [
        cfg.StrOpt("host", default="127.0.0.1", secret=True, help="Host of the database, or a whole mongodb:// URI."),
        cfg.PortOpt("port", default=27017, help="Port of the database, unless host is a URI."),
        cfg.StrOpt("db_name", default="st2", help="Name of the database."),
        cfg.StrOpt("username", help="Name to log in with."),
        cfg.StrOpt("password", secret=True, help="Password to log in with."),
        cfg.StrOpt("authentication_mechanism", help="How to log in; the driver's choice if not given."),
        cfg.IntOpt("connection_timeout", default=3000, min=1, help="Milliseconds to wait for a connection."),
        cfg.StrOpt("compressors", default="", help="Compressors of the wire, comma separated: zstd, zlib."),
        cfg.IntOpt("zlib_compression_level", min=-1, max=9, help="Level of the zlib compressor."),
        cfg.BoolOpt("tls", default=False, deprecated_name="ssl", help="Talk TLS to the database."),
        cfg.StrOpt("tls_certificate_key_file", help="The client's certificate and private key in one file."),
        cfg.StrOpt("tls_certificate_key_file_password", secret=True, help="Password of that private key."),
        cfg.StrOpt(
            "tls_ca_file",
            deprecated_name="ssl_ca_certs",
            help="Certificates of the authorities that may vouch for the database.",
        ),
        cfg.BoolOpt("tls_allow_invalid_certificates", default=False, help="Do not check the database's certificate."),
        cfg.BoolOpt("tls_allow_invalid_hostnames", default=False, help="Do not check the name in that certificate."),
    ],
}
