"""``st2ctl doctor``: what is wrong with a platform, seen from this host, and what to do about it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import amqp
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2common.config import unknown
from st2common.content import pack_environment, paths
from st2common.errors import St2Error
from st2common.models import indexes, schema
from st2common.models.connection import Document
from st2common.transport.topology import EXECUTIONS_TO_RUN, TRIGGER_INSTANCES, WORKFLOWS_TO_ADVANCE
from st2ctl import broker, heartbeats, management
from st2ctl.daemons import STANDALONE
from st2ctl.database import connected
from st2ctl.installation import Installation

# Seconds between two clocks: leases and ages compare them.
_CLOCK_WARNING, _CLOCK_PROBLEM = 2.0, 10.0
# Share of a disk, in percent, from which on it is nearly full.
_DISK_WARNING = 90
_OLDEST_RABBITMQ = (3, 10)
# Who takes from each queue.
_CONSUMERS = {
    EXECUTIONS_TO_RUN: "st2actionrunner",
    WORKFLOWS_TO_ADVANCE: "st2rulesengine",
    TRIGGER_INSTANCES: "st2rulesengine",
}


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    check: str
    state: State
    text: str
    #: What to do.
    advice: str = ""


Findings = Iterator[Finding]


def run(installation: Installation, as_json: bool, tell: Callable[[str], None]) -> int:
    """0: nothing is wrong that keeps the platform from working; 1: something is."""
    findings = list(_examine(installation))
    if as_json:
        tell(json.dumps([asdict(finding) for finding in findings], indent=4))
    else:
        for finding in findings:
            tell(f"{finding.state:<8} {finding.check}: {finding.text}")
            if finding.advice:
                tell(f"{'':<8} -> {finding.advice}")
    return 1 if any(finding.state == State.PROBLEM for finding in findings) else 0


def _examine(installation: Installation) -> Findings:
    yield from _configuration(installation)
    yield from _permissions(installation)
    if all(beat.name != STANDALONE for beat in heartbeats.read_all(installation.state_path)):
        yield from _broker(installation)
    yield from _database(installation)
    yield from _daemons(installation)


def _configuration(installation: Installation) -> Findings:
    config, conf = installation.config, installation.conf
    yield Finding("configuration", State.OK, f"{conf} is valid")
    for text in unknown(config):
        yield Finding("configuration", State.WARNING, text, "look for a spelling mistake")
    if conf.stat().st_mode & 0o004 and not installation.development:
        advice = f"chgrp st2 {conf} && chmod 640 {conf}"
        yield Finding("configuration", State.WARNING, f"everybody may read {conf} and the passwords in it", advice)
    key = config.keyvalue.encryption_key_path
    if key and not os.access(key, os.R_OK):
        advice = f"st2-generate-symmetric-crypto-key --key-path {key}, or restore it from a backup"
        yield Finding("configuration", State.PROBLEM, f"the key of the datastore {key} cannot be read", advice)
    if not config.auth.enable:
        yield Finding("configuration", State.WARNING, "authentication is off", "set [auth] enable = True")


def _permissions(installation: Installation) -> Findings:
    config = installation.config
    for path in (installation.state_path, installation.logs):
        if not path.exists():
            yield Finding("permissions", State.WARNING, f"{path} does not exist yet", "the first start makes it")
            continue
        if not os.access(path, os.W_OK):
            yield Finding("permissions", State.WARNING, f"{path} may not be written by you", "run this as root")
        usage = shutil.disk_usage(path)
        percent = 100 * usage.used // usage.total
        text = f"{path}: {percent} % used, {usage.free // 2**20} MiB free"
        if percent < _DISK_WARNING:
            yield Finding("disk", State.OK, text)
        else:
            advice = "free some space: output waits here while the database is away"
            yield Finding("disk", State.WARNING, text, advice)
    user = config.system_user.user
    try:
        known = pwd.getpwnam(user)
    except KeyError:
        advice = f"useradd --create-home {user}, or set [system_user] user"
        yield Finding("permissions", State.PROBLEM, f"actions run as {user}, and there is no such user", advice)
    else:
        if known.pw_uid != os.geteuid() and shutil.which("sudo") is None:
            yield Finding("permissions", State.PROBLEM, f"running actions as {user} needs sudo", "apt-get install sudo")


def _broker(installation: Installation) -> Findings:
    settings = installation.config.messaging
    for url in settings.cluster_urls or [settings.url]:
        place = url.rpartition("@")[2].partition("/")[0]
        try:
            with broker.connect(installation, url) as connection:
                version = broker.version(connection)
                queues = {queue.name: broker.look_at(connection, queue) for queue in _CONSUMERS}
        except (OSError, amqp.AMQPError, ValueError, St2Error) as error:
            reason = " ".join(str(error).split())
            advice = "is it running? are host, user and password of [messaging] right?"
            yield Finding("broker", State.PROBLEM, f"{place}: {reason}", advice)
            continue
        old = tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_RABBITMQ
        advice = "update it: quorum queues of 3.10 are needed" if old else ""
        yield Finding("broker", State.PROBLEM if old else State.OK, f"{place}: RabbitMQ {version} answers", advice)
        for queue, consumer in _CONSUMERS.items():
            yield _queue(queue.name, queues[queue.name], consumer)


def _queue(name: str, state: broker.QueueState | None, consumer: str) -> Finding:
    if state is None:
        advice = f"start {consumer} on some host: it makes the queue"
        return Finding("queues", State.WARNING, f"{name} does not exist", advice)
    text = f"{name}: {state.messages} messages wait, {state.consumers} consumers"
    if state.consumers:
        return Finding("queues", State.OK, text)
    advice = f"start {consumer} on some host; where it runs, look into its log"
    return Finding("queues", State.PROBLEM if state.messages else State.WARNING, text, advice)


def _database(installation: Installation) -> Findings:
    advice = "is it running? are the options of [database] right?"
    try:
        with connected(installation) as database:
            asked = time.time()
            server = database.client.admin.command("hello")
            answered = time.time()
            version = database.client.server_info()["version"]
            yield Finding("database", State.OK, f"version {version} answers in {1000 * (answered - asked):.0f} ms")
            yield from _clock(server.get("localTime"), asked, answered)
            yield from _schema(database)
            yield from _indexes(database)
            yield from _sizes(database)
            yield from _packs(installation, database)
    except (PyMongoError, ValueError, OSError) as error:
        yield Finding("database", State.PROBLEM, " ".join(str(error).split())[:300], advice)


def _clock(server: object, asked: float, answered: float) -> Findings:
    if not isinstance(server, datetime):
        return
    away = abs(server.replace(tzinfo=server.tzinfo or UTC).timestamp() - (asked + answered) / 2)
    state = State.OK if away < _CLOCK_WARNING else State.WARNING if away < _CLOCK_PROBLEM else State.PROBLEM
    advice = "" if state == State.OK else "let all hosts follow the same time servers (chrony, systemd-timesyncd)"
    yield Finding("clocks", state, f"this host and the database's differ by {away:.1f} s", advice)


def _schema(database: Database[Document]) -> Findings:
    version = schema.stored(database)
    if wrong := schema.problem(version):
        text, _, advice = wrong.rpartition(": ")
        yield Finding("database", State.PROBLEM, text, advice)
    else:
        yield Finding("database", State.OK, f"schema version {version}")


def _indexes(database: Database[Document]) -> Findings:
    faults = indexes.check(database)
    for fault in faults:
        yield Finding("database", State.WARNING, str(fault), "st2-db migrate")
    if not faults:
        yield Finding("database", State.OK, "all indexes are there")


def _sizes(database: Database[Document]) -> Findings:
    """Disk used by collection, the largest first."""
    sizes = []
    for name in database.list_collection_names():
        try:
            stats = database.command("collStats", name)
        except PyMongoError:
            continue
        sizes.append((int(stats.get("storageSize") or 0), int(stats.get("count") or 0), name))
    for size, count, name in sorted(sizes, reverse=True):
        yield Finding("disk", State.OK, f"{name}: {size / 2**20:.1f} MiB, {count} documents")


def _packs(installation: Installation, database: Database[Document]) -> Findings:
    directories = paths.packs(installation.config)
    on_disk = set(directories)
    registered = {pack["ref"] for pack in database["pack_d_b"].find({}, {"ref": 1})}
    for name in sorted(on_disk - registered):
        yield Finding("packs", State.WARNING, f"{name} is not registered", "st2ctl reload --register-all")
    for name in sorted(registered - on_disk):
        advice = f"st2 pack remove {name}, or install it on this host"
        yield Finding("packs", State.WARNING, f"{name} is registered and not on this host", advice)
    yield Finding("packs", State.OK, f"{len(on_disk & registered)} registered")
    for name, directory in sorted(directories.items()):
        yield from _virtual_environment(installation, name, directory)


def _virtual_environment(installation: Installation, pack: str, directory: Path) -> Findings:
    """Of a pack that needs one, or has one."""
    place = pack_environment.location(installation.config, pack)
    if not place.exists() and not (directory / "requirements.txt").is_file():
        return
    if pack_environment.works(installation.config, pack):
        yield Finding("packs", State.OK, f"{pack}: its virtual environment works")
        return
    text = f"{pack}: its virtual environment {place} {'does not work' if place.exists() else 'is missing'}"
    yield Finding("packs", State.PROBLEM, text, f"st2-pack-setup-virtualenv {pack}")


def _daemons(installation: Installation) -> Findings:
    beats = heartbeats.read_all(installation.state_path)
    for beat in beats:
        state = State.OK if beat.well else State.PROBLEM
        advice = "" if beat.well else f"look into its log; st2ctl restart-component {beat.name}"
        yield Finding("daemons", state, f"{beat.name} (pid {beat.process.pid}): {beat.condition()}", advice)
    running = {beat.name for beat in beats}
    if not beats:
        yield Finding("daemons", State.WARNING, "none runs on this host", "st2ctl start")
    elif STANDALONE not in running:
        for name in sorted(set(management.expected(installation)) - running):
            yield Finding("daemons", State.PROBLEM, f"{name} is not running", "st2ctl start")
