"""Database and broker behind TLS, with passwords, client certificates and more than one address: all from st2.conf."""

from __future__ import annotations

import queue
import secrets
from collections.abc import Iterator
from pathlib import Path

import amqp
import pymongo
import pytest
from oslo_config import cfg

from st2common import config as configuration
from st2common.config.clients import connect_database, database_location, make_transport
from st2common.errors import ConfigError
from st2common.models import connection
from st2common.transport.port import Delivery, WorkQueue
from st2ctl.embedded import PrivateRabbitMQ, find_secantus
from st2ctl.server_process import ServerProcess
from tests.certificates import Authority
from tests.conditions import eventually
from tests.servers import free_ports

PASSWORD = "pass/word:@1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def database_port(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[int]:
    """A replica set of one that demands TLS, a client certificate and a login."""
    directory, [port] = tmp_path_factory.mktemp("tls-database"), free_ports(1)
    (directory / "secantusd.toml").touch()
    server = ServerProcess("database", directory, supervised=True)
    command = [find_secantus(), "--config", str(directory / "secantusd.toml"), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--storage-path", str(directory / "data"), "--cache-size", "64M"]
    server.start(command)
    with pymongo.MongoClient("127.0.0.1", port, directConnection=True) as client:  # type: ignore[var-annotated]
        server.wait_until(lambda: bool(client.admin.command("ping")), 60)
        client.admin.command("createUser", "st2", pwd=PASSWORD, roles=["root"], mechanisms=["SCRAM-SHA-256"])
    server.stop()
    theirs = authority.certificate("database")
    tls = ["--tls-cert-file", str(theirs.certificate), "--tls-key-file", str(theirs.key)]
    server.start([*command, "--auth", *tls, "--tls-ca-file", str(authority.file), "--tls-require-client-cert"])
    yield port
    server.stop()


def config_of(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    conf = tmp_path / "st2.conf"
    conf.write_text(text.replace("$", "$$"))
    return configuration.load(["--config-file", str(conf)], "st2test")


def database_text(port: int, authority: Authority, password: str = PASSWORD) -> str:
    [dead] = free_ports(1)
    return (
        f"[database]\nhost = mongodb://localhost:{dead},localhost:{port}/?authSource=admin&replicaSet=secantus\n"
        f"db_name = tls\nusername = st2\npassword = {password}\ntls = True\ntls_ca_file = {authority.file}\n"
        f"tls_certificate_key_file = {authority.certificate('client').both}\n"
    )


def test_the_database_over_tls_with_a_login(tmp_path: Path, database_port: int, authority: Authority) -> None:
    try:
        database = connect_database(config_of(tmp_path, database_text(database_port, authority)))
        database["things"].insert_one({"_id": 1})
        assert database["things"].find_one() == {"_id": 1}
    finally:
        connection.disconnect()


def test_a_wrong_password_of_the_database(tmp_path: Path, database_port: int, authority: Authority) -> None:
    config = config_of(tmp_path, database_text(database_port, authority, "wrong"))
    try:
        with pytest.raises(ConfigError, match="refuses username and password"):
            connect_database(config)
    finally:
        connection.disconnect()


@pytest.mark.parametrize("without", ["tls_ca_file", "tls_certificate_key_file"])
def test_no_database_whose_certificate_nobody_knows(
    tmp_path: Path, database_port: int, authority: Authority, without: str
) -> None:
    lines = database_text(database_port, authority).splitlines()
    config = config_of(tmp_path, "\n".join(line for line in lines if not line.startswith(without)) + "\n")
    uri, options = database_location(config)
    with (
        pymongo.MongoClient(uri, serverSelectionTimeoutMS=1500, **options) as client,  # type: ignore[var-annotated]
        pytest.raises(pymongo.errors.ServerSelectionTimeoutError),
    ):
        client.admin.command("ping")


@pytest.fixture(scope="module")
def broker_ports(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[tuple[int, int]]:
    """(TLS, plain) of a node that demands a client certificate where it talks TLS."""
    directory = tmp_path_factory.mktemp("tls-broker")
    port, tls_port, dist_port, epmd_port = free_ports(4)
    theirs = authority.certificate("broker")
    (directory / "rabbitmq.conf").write_text(
        f"listeners.ssl.1 = 127.0.0.1:{tls_port}\nssl_options.cacertfile = {authority.file}\n"
        f"ssl_options.certfile = {theirs.certificate}\nssl_options.keyfile = {theirs.key}\n"
        "ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n"
    )
    broker = PrivateRabbitMQ(directory, port, dist_port, epmd_port)
    broker.start()
    yield tls_port, port
    broker.stop()


def broker_text(port: int, authority: Authority) -> str:
    [dead] = free_ports(1)
    client = authority.certificate("client")
    return (
        f"[messaging]\ncluster_urls = amqps://guest:guest@localhost:{dead}//,"
        f"amqps://guest:guest@localhost:{port}//\nssl_ca_certs = {authority.file}\n"
        f"ssl_certfile = {client.certificate}\nssl_keyfile = {client.key}\n"
    )


def test_the_second_node_of_the_broker_over_tls(
    tmp_path: Path, broker_ports: tuple[int, int], authority: Authority
) -> None:
    transport = make_transport(config_of(tmp_path, broker_text(broker_ports[0], authority)))
    name = f"tls{secrets.token_hex(4)}"
    work = WorkQueue(exchange=name, routing_key="work", name=name)
    got: queue.Queue[object] = queue.Queue()

    def take(delivery: Delivery) -> None:
        got.put(delivery.message.body)
        delivery.ack()

    consumer = transport.consume(work, take, prefetch=1)
    try:
        transport.declare(work)
        eventually(transport.healthy, timeout=30)
        transport.publish(name, "work", {"v": 1})
        assert got.get(timeout=20) == {"v": 1}
    finally:
        consumer.stop()
        transport.close()


def test_the_broker_demands_certificate_and_password(broker_ports: tuple[int, int], authority: Authority) -> None:
    place, known = f"localhost:{broker_ports[0]}", {"ca_certs": str(authority.file), "server_hostname": "localhost"}
    client = authority.certificate("client")
    ours = {"certfile": str(client.certificate), "keyfile": str(client.key)}
    with pytest.raises(OSError):  # noqa: PT011 - a reset or an alert, whichever comes first
        amqp.Connection(place, ssl=known, connect_timeout=5).connect()
    with pytest.raises(amqp.AccessRefused):
        amqp.Connection(place, password="wrong", ssl={**known, **ours}, connect_timeout=5).connect()
