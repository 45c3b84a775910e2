"""The clients of the database and the broker that a configuration asks for. Made after a fork, never before."""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError

from st2common.errors import ConfigError
from st2common.models import connection, schema
from st2common.models.connection import Document
from st2common.transport.amqp import AmqpTransport
from st2common.transport.port import Transport

LOG = logging.getLogger(__name__)

# Seconds between two attempts to reach the database: the longest, and the first.
_LONGEST_PAUSE = 5.0
_FIRST_PAUSE = 0.2

# What a server of MongoDB's protocol answers to wrong credentials: Unauthorized, AuthenticationFailed.
_REFUSED = (13, 18)

_CERTIFICATE_CHECKS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def connect_database(
    config: cfg.ConfigOpts, check: Callable[[Database[Document]], None] = schema.require_ours
) -> Database[Document]:
    """Connect and wait, for ever, until the database answers.

    Raises:
        ConfigError: the database refuses the credentials, the options contradict each other, or ``check`` raises it: a
            database of another version, unless told otherwise.
    """
    uri, options = database_location(config)
    try:
        database = connection.connect(uri, config.database.db_name, config.database.connection_timeout, **options)
    except (ConfigurationError, InvalidURI, ValueError, OSError) as error:
        raise ConfigError(f"[database] {error}") from error
    _wait_for(database, check)
    return database


def _wait_for(database: Database[Document], check: Callable[[Database[Document]], None]) -> None:
    pause = _FIRST_PAUSE
    while True:
        try:
            database.command("ping")
            check(database)
        except OperationFailure as error:
            if error.code in _REFUSED:
                raise ConfigError("[database] the database refuses username and password") from error
            LOG.warning("The database is not ready: %s", error)
        except PyMongoError as error:
            LOG.warning("Waiting for the database: %s", error)
        else:
            return
        # Jitter: daemons that lost the database together do not come back in step.
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
        pause = min(pause * 2, _LONGEST_PAUSE)


def database_location(config: cfg.ConfigOpts) -> tuple[str, dict[str, Any]]:
    """The URI of the database and the driver's options beside it: only what is set, since it overrides the URI."""
    settings = config.database
    options = {
        "username": settings.username,
        "password": settings.password,
        "authMechanism": settings.authentication_mechanism,
        "compressors": settings.compressors or None,
        "zlibCompressionLevel": settings.zlib_compression_level,
        "tls": settings.tls or None,
        "tlsCertificateKeyFile": settings.tls_certificate_key_file,
        "tlsCertificateKeyFilePassword": settings.tls_certificate_key_file_password,
        "tlsCAFile": settings.tls_ca_file,
        "tlsAllowInvalidCertificates": settings.tls_allow_invalid_certificates or None,
        "tlsAllowInvalidHostnames": settings.tls_allow_invalid_hostnames or None,
    }
    return _database_uri(settings.host, settings.port), {
        name: value for name, value in options.items() if value is not None
    }


def _database_uri(host: str, port: int) -> str:
    if host.startswith(("mongodb://", "mongodb+srv://")):
        return host
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"mongodb://{bracketed}:{port}"


def make_transport(config: cfg.ConfigOpts) -> Transport:
    """The client of the broker. Does not wait for it.

    Raises:
        ConfigError: an address is not one of RabbitMQ.
    """
    urls = _broker_urls(config)
    if not all(url.startswith(("amqp://", "amqps://")) for url in urls):
        # Not the address itself: it has a password in it.
        raise ConfigError("[messaging] url or cluster_urls: an address begins with amqp:// or amqps://")
    return AmqpTransport(urls, login_method=config.messaging.login_method, ssl=tls_parameters(config))


def _broker_urls(config: cfg.ConfigOpts) -> list[str]:
    return config.messaging.cluster_urls or [config.messaging.url]


def tls_parameters(config: cfg.ConfigOpts) -> bool | dict[str, Any]:
    """py-amqp's TLS parameters; False without TLS. The broker's certificate and the name in it are checked unless the
    file says not to, by the system's authorities where none are given."""
    settings = config.messaging
    files = {"keyfile": settings.ssl_keyfile, "certfile": settings.ssl_certfile, "ca_certs": settings.ssl_ca_certs}
    given = {name: path for name, path in files.items() if path}
    secure = any(url.startswith("amqps://") for url in _broker_urls(config))
    if not (secure or settings.ssl or given):
        return False
    check = _CERTIFICATE_CHECKS[settings.ssl_cert_reqs or "required"]
    # None stands for the host of the address in use.
    name = {} if check == ssl.CERT_NONE else {"server_hostname": None}
    return {**given, "cert_reqs": check, **name}
