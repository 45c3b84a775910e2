"""Who may use the services."""

from __future__ import annotations

from oslo_config import cfg

from st2common.config.groups.logfile import logging_file

GROUPS: dict[str, list[cfg.Opt]] = {
    "auth": [
        cfg.BoolOpt(
            "enable",
            default=True,
            help="Whether requests need a token or an API key. Off: services listen on loopback addresses only, and "
            "everybody there may do everything.",
        ),
        cfg.HostAddressOpt("host", default="127.0.0.1", help="Address on which the authentication service listens."),
        cfg.PortOpt("port", default=9100, help="Port on which the authentication service listens."),
        cfg.BoolOpt("use_ssl", default=False, help="Talk TLS on that port."),
        cfg.StrOpt("cert", default="/etc/apache2/ssl/mycert.crt", help="Certificate for TLS."),
        cfg.StrOpt("key", default="/etc/apache2/ssl/mycert.key", help="Private key of the certificate."),
        cfg.StrOpt(
            "mode",
            default="standalone",
            choices=[
                ("standalone", "the backend checks user name and password"),
                ("proxy", "a proxy before the service has checked them, and is trusted"),
            ],
            help="Who checks passwords.",
        ),
        cfg.StrOpt(
            "backend",
            default="flat_file",
            help="What checks passwords in standalone mode: flat_file (an htpasswd file), or a plug-in.",
        ),
        cfg.StrOpt(
            "backend_kwargs",
            secret=True,
            help='Arguments of the backend as a JSON object; of flat_file {"file_path": "/etc/st2/htpasswd"}.',
        ),
        cfg.IntOpt("token_ttl", default=86400, min=1, help="Longest life of a user's token in seconds."),
        cfg.IntOpt("service_token_ttl", default=86400, min=1, help="Life of a service's token in seconds."),
        cfg.StrOpt("api_url", help="Where clients and actions find the API, without a version."),
        logging_file("auth"),
    ],
}
