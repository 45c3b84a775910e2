"""The rules of the datastore: who may see what, and what time does to keys."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from st2common.datastore.crypto import CryptoKey, KeyFile
from st2common.errors import AccessDenied, NotFound, ValidationError
from st2common.models.keys import COLLECTION, SYSTEM_SCOPE, Keys
from st2common.services.keys import Caller, Datastore, NewItem

ADMIN = Caller("admin", is_admin=True)
ANN = Caller("ann", is_admin=False)
BOB = Caller("bob", is_admin=False)


@pytest.fixture
def key(tmp_path: Path) -> CryptoKey:
    made = CryptoKey.generate()
    (tmp_path / "key.json").write_text(made.dump())
    return made


@pytest.fixture
def datastore(database: Database[dict[str, Any]], key: CryptoKey, tmp_path: Path) -> Datastore:
    Keys(database).ensure_indexes()
    return Datastore(database, KeyFile(tmp_path / "key.json"))


def test_users_have_their_own_keys(datastore: Datastore) -> None:
    datastore.set_key(ANN, "k", NewItem("ann's", secret=True), scope="user")
    datastore.set_key(BOB, "k", NewItem("bob's"), scope="user")
    assert datastore.get_key(ANN, "k", scope="user", decrypt=True)["value"] == "ann's"
    assert [item["value"] for item in datastore.list_keys(BOB, scope="all")] == ["bob's"]
    datastore.delete_key(BOB, "k", scope="user")
    with pytest.raises(NotFound):
        datastore.get_key(BOB, "k", scope="user")
    assert datastore.get_key(ADMIN, "k", user="ann", decrypt=True)["value"] == "ann's"


def test_other_users_are_for_administrators(datastore: Datastore) -> None:
    datastore.set_key(ANN, "k", NewItem("ann's"), scope="user")
    for attempt in (
        lambda: datastore.get_key(BOB, "k", user="ann"),
        lambda: datastore.list_keys(BOB, user="ann"),
        lambda: datastore.list_keys(BOB, scope="all", user="ann"),
        lambda: datastore.set_key(BOB, "k", NewItem("x"), scope="user", user="ann"),
        lambda: datastore.delete_key(BOB, "k", scope="user", user="ann"),
    ):
        with pytest.raises(AccessDenied):
            attempt()
    assert datastore.get_key(ANN, "k", user="ann")["value"] == "ann's"


def test_lists_of_the_systems_secrets_are_decrypted_for_administrators(datastore: Datastore, key: CryptoKey) -> None:
    """One key that somebody may view is decrypted for whoever asks: that is for the route to check."""
    datastore.set_key(ANN, "k", NewItem("shh", secret=True))
    assert datastore.get_key(ANN, "k")["encrypted"] is True
    for attempt in (
        lambda: datastore.list_keys(ANN, decrypt=True),
        lambda: datastore.list_keys(ANN, scope="all", decrypt=True),
        lambda: datastore.set_key(ANN, "k", NewItem(key.encrypt("x"), encrypted=True)),
    ):
        with pytest.raises(AccessDenied):
            attempt()
    assert datastore.list_keys(ADMIN, decrypt=True)[0]["value"] == "shh"
    assert datastore.get_key(ANN, "k", decrypt=True)["value"] == "shh"


def test_a_name_with_the_separator_cannot_reach_anothers_keys(datastore: Datastore) -> None:
    datastore.set_key(Caller("a", is_admin=False), "b:c", NewItem("a's"), scope="user")
    with pytest.raises(ValidationError, match="colon"):
        datastore.get_key(Caller("a:b", is_admin=False), "c", scope="user")
    assert datastore.get_key(Caller("a", is_admin=False), "b:c", scope="user")["name"] == "b:c"


def test_an_expired_key_is_gone_at_once(datastore: Datastore, database: Database[dict[str, Any]]) -> None:
    datastore.set_key(ADMIN, "k", NewItem("v", ttl=3600))
    assert datastore.get_key(ADMIN, "k")["value"] == "v"
    past = datetime.now(UTC) - timedelta(milliseconds=1)
    database[COLLECTION].update_one({"name": "k"}, {"$set": {"expire_timestamp": past}})
    assert datastore.list_keys(ADMIN) == []
    with pytest.raises(NotFound):
        datastore.get_key(ADMIN, "k")
    with pytest.raises(NotFound):
        datastore.delete_key(ADMIN, "k")
    datastore.set_key(ADMIN, "k", NewItem("new"))
    assert datastore.get_key(ADMIN, "k")["value"] == "new"


def test_the_database_removes_what_has_expired(datastore: Datastore, database: Database[dict[str, Any]]) -> None:
    index = database[COLLECTION].index_information()["expire_timestamp"]
    assert index["key"] == [("expire_timestamp", 1)]
    assert index["expireAfterSeconds"] == 0


def test_items_of_the_original_are_read(
    datastore: Datastore, database: Database[dict[str, Any]], key: CryptoKey
) -> None:
    """Its documents have no field for what is not there, or null."""
    common = {"scope": SYSTEM_SCOPE, "description": None, "expire_timestamp": None}
    database[COLLECTION].insert_many([
        {**common, "name": "a", "uid": "key_value_pair:st2kv.system:a", "value": "v", "secret": False},
        {**common, "name": "b", "value": key.encrypt("shh"), "secret": True},
    ])  # fmt: skip
    plain, secret = datastore.list_keys(ADMIN, decrypt=True)
    assert set(plain) == {"id", "uid", "name", "value", "scope", "secret", "encrypted"}
    assert (secret["value"], secret["uid"]) == ("shh", "key_value_pair:st2kv.system:b")


def test_writers_of_one_new_key_do_not_fail(datastore: Datastore, database: Database[dict[str, Any]]) -> None:
    threads, failures, barrier = [], [], threading.Barrier(6)

    def write(number: int) -> None:
        barrier.wait()
        try:
            for name in range(5):
                datastore.set_key(ADMIN, f"k{name}", NewItem(str(number)))
        except Exception as error:
            failures.append(error)

    for number in range(6):
        threads.append(threading.Thread(target=write, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert database[COLLECTION].count_documents({}) == 5


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=TEXT, value=TEXT, cut=st.integers(0, 20), secret=st.booleans(), scope=st.sampled_from(["system", "user"]))
def test_round_trip(datastore: Datastore, name: str, value: str, cut: int, secret: bool, scope: str) -> None:
    datastore.set_key(ADMIN, name, NewItem(value, secret=secret), scope=scope)
    got = datastore.get_key(ADMIN, name, scope=scope, decrypt=True)
    assert (got["name"], got["value"]) == (name, value)
    assert got in datastore.list_keys(ADMIN, scope=scope, prefix=name[:cut], decrypt=True)
    datastore.delete_key(ADMIN, name, scope=scope)
    assert datastore.list_keys(ADMIN, scope=scope, names=[name]) == []
