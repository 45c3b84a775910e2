"""Members: the processes of the platform that live now. Each tells again and again that it does.

The document in ``service_member_d_b``::

    _id            <group>/<host>_<pid>
    group          api, actionrunner ...: the name of its program without "st2"
    member_id      <host>_<pid>
    capabilities   {hostname, pid, name, type: active (it listens) | passive, listen_host?, listen_port?}
    until          microseconds since the epoch: when it counts as dead unless it has told again
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from pymongo import ReplaceOne
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.connection import Document

COLLECTION = "service_member_d_b"


@dataclass(frozen=True)
class Member:
    group: str
    pid: int
    #: Host and port, of one that listens.
    listens: tuple[str, int] | None = None

    def to_document(self) -> Document:
        host = socket.gethostname()
        capabilities: Document = {"hostname": host, "pid": self.pid, "name": self.group, "type": "passive"}
        if self.listens:
            capabilities |= {"type": "active", "listen_host": self.listens[0], "listen_port": self.listens[1]}
        member_id = f"{host}_{self.pid}"
        return {
            "_id": f"{self.group}/{member_id}",
            "group": self.group,
            "member_id": member_id,
            "capabilities": capabilities,
        }


class Members:
    def __init__(self, database: Database[Document]) -> None:
        self._collection = database[COLLECTION]

    def tell(self, members: Iterable[Member], seconds: float) -> None:
        """They live, and will tell it again within so many seconds."""
        until = now_us() + int(seconds * 1_000_000)
        told = [{**member.to_document(), "until": until} for member in members]
        self._collection.bulk_write([ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in told])

    def forget(self, members: Iterable[Member]) -> None:
        self._collection.delete_many({"_id": {"$in": [member.to_document()["_id"] for member in members]}})

    def forget_dead(self) -> None:
        self._collection.delete_many({"until": {"$lt": now_us()}})

    def groups(self) -> list[str]:
        return sorted({member["group"] for member in self._alive()})

    def of_group(self, group: str) -> list[Document]:
        """{group_id, member_id, capabilities} of each."""
        alive = sorted((each for each in self._alive() if each["group"] == group), key=lambda each: str(each["_id"]))
        return [
            {"group_id": each["group"], "member_id": each["member_id"], "capabilities": each["capabilities"]}
            for each in alive
        ]

    def _alive(self) -> list[Document]:
        # A few dozen at most.
        return list(self._collection.find({"until": {"$gt": now_us()}}))
