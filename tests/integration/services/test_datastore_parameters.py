"""Keys in the parameters of executions: which value is used, and that no secret shows afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from st2common.datastore.crypto import CryptoKey, KeyFile
from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.errors import ValidationError
from st2common.expressions.templates import TemplateError
from st2common.models import actions, runner_types
from st2common.models.execution_view import secret_values, to_api
from st2common.models.executions import COLLECTION
from st2common.models.keys import Keys
from st2common.models.secrets import MASK
from st2common.output.masking import Masker, needles
from st2common.services.executions import request_execution
from st2common.services.keys import Caller, Datastore, NewItem
from st2common.services.reruns import rerun_execution
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Transport
from st2common.transport.topology import EXECUTION, EXECUTIONS_TO_RUN
from tests.conditions import eventually
from tests.shell_action import ACTION, RUNNER

Documents = Database[dict[str, Any]]

CALLER = Caller("ann", is_admin=True)
SECRET = "hunter2\nsecond line"


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    (tmp_path / "key.json").write_text(CryptoKey.generate().dump())
    return KeyFile(tmp_path / "key.json")


@pytest.fixture
def bus(memory_transport: MemoryTransport) -> Transport:
    memory_transport.declare(EXECUTIONS_TO_RUN)
    return memory_transport


@pytest.fixture
def request_it(database: Documents, bus: Transport, key_file: KeyFile) -> Callable[..., dict[str, Any]]:
    Keys(database).ensure_indexes()
    runner_types.save(runner_types.RunnerType.from_metadata(RUNNER))
    actions.save(actions.Action.from_metadata(ACTION))
    datastore = Datastore(database, key_file)
    datastore.set_key(CALLER, "region", NewItem("eu"))
    datastore.set_key(CALLER, "limits.cpu", NewItem("7"))
    datastore.set_key(CALLER, "password", NewItem(SECRET, secret=True))
    datastore.set_key(CALLER, "region", NewItem("ann's"), scope="user")
    datastore.set_key(CALLER, "region", NewItem("bob's"), scope="user", user="bob")

    def make(context: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
        return request_execution(
            database,
            bus,
            action_ref="core.local",
            parameters=parameters,
            user="ann",
            context=context,
            keys=KeyAccess(key_file),
        )

    return make


Request = Callable[..., dict[str, Any]]

WITH_PASSWORD = "login {{ st2kv.system.password | decrypt_kv }}"


def test_keys_in_parameters(request_it: Request) -> None:
    cmd = "{{ st2kv.system.region }} {{ st2kv.user.region }} [{{ st2kv.system.none }}] {{ st2kv.system.password }}"
    stored = request_it(cmd=cmd, timeout="{{ st2kv.system.limits.cpu | int * 2 }}", cwd="{{ cmd[:2] }}")
    parameters = stored["parameters"]
    assert parameters["cmd"].startswith("eu ann's [] 3030303030")
    assert (parameters["timeout"], parameters["cwd"]) == (14, "eu")
    assert "decrypted" not in stored
    assert request_it({"api_user": "bob"}, cmd="{{ st2kv.user.region }}")["parameters"]["cmd"] == "bob's"


def test_a_decrypted_secret_shows_nowhere(request_it: Request, database: Documents, bus: Transport) -> None:
    told: list[dict[str, Any]] = []
    events = bus.subscribe(lambda message: told.append(message.body["execution"]), lambda: None)
    events.bind(EXECUTION, "#")
    stored = request_it(cmd=WITH_PASSWORD, env={"PW": "{{ st2kv.system.password | decrypt_kv }}"})
    assert stored["parameters"]["cmd"] == f"login {SECRET}"
    # The runner reads the execution from the database.
    stored = database[COLLECTION].find_one({"_id": stored["_id"]}) or {}
    masker = Masker(needles(secret_values(stored)))
    assert masker.feed(b"I say hunter2.") + masker.close() == b"I say ********."
    hidden = {"cmd": f"login {MASK}", "env": {"PW": MASK}}
    assert to_api(stored)["parameters"] == hidden
    assert to_api(stored)["liveaction"]["parameters"] == hidden
    assert "hunter2" not in repr(to_api(stored))
    assert eventually(lambda: told)[0]["parameters"] == hidden
    events.stop()


def test_a_repetition_knows_the_secrets_as_well(
    request_it: Request, database: Documents, bus: Transport, key_file: KeyFile
) -> None:
    first = str(request_it(cmd=WITH_PASSWORD)["_id"])
    again = rerun_execution(
        database, bus, execution_id=first, parameters={"timeout": 5}, user="bob", keys=KeyAccess(key_file)
    )
    assert again["parameters"]["cmd"] == f"login {SECRET}"
    assert to_api(again)["parameters"] == {"cmd": f"login {MASK}", "timeout": 5}
    assert secret_values(again) == [SECRET]
    with pytest.raises(TemplateError):
        rerun_execution(database, bus, execution_id=first, parameters={"cwd": "{{ none.such }}"}, user="bob")
    for stored in database[COLLECTION].find():
        assert "hunter2" not in repr(to_api(stored))


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({"cmd": "x", "timeout": "{{ st2kv.system.password | decrypt_kv }}"}, ValidationError),
        ({"cmd": "x", "env": "{{ st2kv.system.password | decrypt_kv }}"}, ValidationError),
        ({"cmd": "{{ [] + (st2kv.system.password | decrypt_kv) }}"}, TemplateError),
        ({"cmd": "{{ {}[st2kv.system.password | decrypt_kv] }}"}, TemplateError),
        ({"cmd": "{{ (st2kv.system.password | decrypt_kv).nosuch }}"}, TemplateError),
    ],
)
def test_errors_tell_no_secret(request_it: Request, database: Documents, parameters: Any, kind: Any) -> None:
    with pytest.raises(kind) as raised:
        request_it(**parameters)
    assert "hunter2" not in str(raised.value)
    for stored in database[COLLECTION].find():
        assert "hunter2" not in repr(stored)


@pytest.mark.parametrize("key", ["none", "region"])
def test_what_cannot_be_decrypted_fails_the_execution(request_it: Request, database: Documents, key: str) -> None:
    with pytest.raises(TemplateError):
        request_it(cmd=f"{{{{ st2kv.system.{key} | decrypt_kv }}}}")
    assert [stored["status"] for stored in database[COLLECTION].find()] == ["failed"]


def test_nothing_is_decrypted_where_nobody_could_hide_it(
    request_it: Request, database: Documents, key_file: KeyFile
) -> None:
    ciphertext = KeyLookup(database, KeyAccess(key_file), {}).system["password"]
    assert KeyLookup(database, KeyAccess(key_file), {}).decrypt(ciphertext) == SECRET
    with pytest.raises(ValidationError, match="and not later"):
        KeyLookup(database, KeyAccess(decrypts=False), {}).decrypt(ciphertext)
