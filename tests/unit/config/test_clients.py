from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from st2common import config as configuration
from st2common.config.clients import database_location, make_transport, tls_parameters
from st2common.errors import ConfigError


def config_of(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    conf = tmp_path / "st2.conf"
    conf.write_text(text)
    return configuration.load(["--config-file", str(conf)], "st2test")


@pytest.mark.parametrize(
    ("text", "uri", "options"),
    [
        ("", "mongodb://127.0.0.1:27017", {}),
        ("host = db\nport = 1\n", "mongodb://db:1", {}),
        ("host = fe80::1\n", "mongodb://[fe80::1]:27017", {}),
        ("host = mongodb://a:1,b:2/?replicaSet=x\n", "mongodb://a:1,b:2/?replicaSet=x", {}),
        ("username = u\npassword = p\n", "mongodb://127.0.0.1:27017", {"username": "u", "password": "p"}),
        ("tls = yes\ntls_ca_file = /ca\n", "mongodb://127.0.0.1:27017", {"tls": True, "tlsCAFile": "/ca"}),
        ("ssl = yes\nssl_ca_certs = /ca\n", "mongodb://127.0.0.1:27017", {"tls": True, "tlsCAFile": "/ca"}),
    ],
)
def test_where_the_database_is(tmp_path: Path, text: str, uri: str, options: dict[str, Any]) -> None:
    assert database_location(config_of(tmp_path, f"[database]\n{text}")) == (uri, options)


CHECKED = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", False),
        ("ssl = yes\n", CHECKED),
        ("url = amqps://host\n", CHECKED),
        ("cluster_urls = amqps://a,amqps://b\n", CHECKED),
        ("ssl = yes\nssl_cert_reqs = none\n", {"cert_reqs": ssl.CERT_NONE}),
        (
            "ssl_ca_certs = /ca\nssl_certfile = /c\nssl_keyfile = /k\n",
            {**CHECKED, "ca_certs": "/ca", "certfile": "/c", "keyfile": "/k"},
        ),
    ],
)
def test_certificates_are_checked_unless_the_file_says_not_to(
    tmp_path: Path, text: str, parameters: bool | dict[str, Any]
) -> None:
    assert tls_parameters(config_of(tmp_path, f"[messaging]\n{text}")) == parameters


def test_an_address_that_is_no_broker_is_refused_and_not_quoted(tmp_path: Path) -> None:
    config = config_of(tmp_path, "[messaging]\ncluster_urls = amqp://a,redis://user:pw@b\n")
    with pytest.raises(ConfigError) as caught:
        make_transport(config)
    assert "pw" not in str(caught.value)
