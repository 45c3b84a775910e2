"""Which processes live: told by themselves, forgotten when they end or fall silent."""

from __future__ import annotations

import socket
from typing import Any

from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2common.clock import now_us
from st2common.membership import Membership
from st2common.models.members import COLLECTION, Member, Members
from tests.conditions import eventually

GROUPS = "/v1/service_registry/groups"


def test_members_come_and_go(client: FlaskClient, config: cfg.ConfigOpts, database: Database[dict[str, Any]]) -> None:
    assert client.get(GROUPS).json == {"groups": []}
    ours = Membership(config, database, ["st2api", "st2actionrunner"], pid=17)
    ours.start()
    try:
        eventually(lambda: client.get(GROUPS).json == {"groups": ["actionrunner", "api"]})
        host = socket.gethostname()
        member = {"group_id": "api", "member_id": f"{host}_17"}
        listens = {"listen_host": config.api.host, "listen_port": config.api.port}
        capabilities = {"hostname": host, "pid": 17, "name": "api", "type": "active", **listens}
        assert client.get(f"{GROUPS}/api/members").json == {"members": [{**member, "capabilities": capabilities}]}
        [runner] = client.get(f"{GROUPS}/actionrunner/members").json["members"]
        assert runner["capabilities"]["type"] == "passive"
    finally:
        ours.stop(10)
    assert client.get(GROUPS).json == {"groups": []}
    unknown = client.get(f"{GROUPS}/api/members")
    assert (unknown.status_code, unknown.json) == (404, {"faultstring": 'Group with ID "api" not found.'})


def test_who_is_silent_is_dead(client: FlaskClient, database: Database[dict[str, Any]]) -> None:
    members = Members(database)
    members.tell([Member("stream", 1), Member("stream", 2)], 60)
    dead = {"$set": {"until": now_us() - 1}}
    database[COLLECTION].update_one({"member_id": {"$regex": "_1$"}}, dead)
    [alive] = client.get(f"{GROUPS}/stream/members").json["members"]
    assert alive["capabilities"]["pid"] == 2
    members.forget_dead()
    assert database[COLLECTION].count_documents({}) == 1
