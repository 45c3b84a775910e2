"""Templates read the keys that the user for whom they are rendered may view, and no others."""

from __future__ import annotations

import pytest

from st2common.datastore.crypto import KeyFile
from st2common.datastore.lookup import KeyAccess, KeyLookup
from st2common.errors import ValidationError
from st2common.services.executions import request_execution
from st2common.services.keys import Caller, Datastore, NewItem
from tests.integration.rbac.conftest import Platform

DENIED = (
    'User "{}" doesn\'t have required permission "key_value_pair_view" on resource "key_value_pair:st2kv.system:{}".'
)


def rendered(platform: Platform, user: str, cmd: str, **context: str) -> str:
    stored = request_execution(
        platform.database,
        platform.transport,
        action_ref="core.local",
        parameters={"cmd": cmd},
        user=user,
        context=context,
        keys=KeyAccess.of_config(platform.config),
    )
    text: str = stored["parameters"]["cmd"]
    return text


@pytest.mark.parametrize(
    ("user", "cmd", "shown"),
    [
        ("admin", "{{ st2kv.system.other | decrypt_kv }}", "v"),
        ("observer", "{{ st2kv.system.other | decrypt_kv }}", "v"),
        ("clerk", "{{ st2kv.system.k | decrypt_kv }}", "v"),
        ("clerk", "{{ st2kv.user.mine }}", "own"),
        ("nobody", "{{ st2kv.user.mine }}", ""),
    ],
)
def test_who_may(platform: Platform, user: str, cmd: str, shown: str) -> None:
    datastore = Datastore(platform.database, KeyFile())
    datastore.set_key(Caller("clerk", False), "mine", NewItem("own"), scope="user")
    assert rendered(platform, user, cmd) == shown


@pytest.mark.parametrize(
    ("user", "cmd", "key"),
    [
        ("clerk", "{{ st2kv.system.other }}", "other"),
        ("clerk", "{{ st2kv.system.other | decrypt_kv }}", "other"),
        ("clerk", '{{ st2kv.system["not there"] }}', "not there"),
        ("runner", "{{ st2kv.system.k }}", "k"),
        ("nobody", "{% if st2kv.system.k %}x{% endif %}", "k"),
    ],
)
def test_who_may_not(platform: Platform, user: str, cmd: str, key: str) -> None:
    with pytest.raises(ValidationError, match="Failed to render") as refused:
        rendered(platform, user, cmd)
    assert str(refused.value).endswith(DENIED.format(user, key))


def test_over_http(platform: Platform) -> None:
    body = {"action": "core.local", "parameters": {"cmd": "{{ st2kv.system.other | decrypt_kv }}"}}
    refused = platform.ask("runner", "POST", "/executions", body)
    assert (refused.status_code, refused.json["faultstring"][-len(DENIED.format("runner", "other")) :]) == (
        400,
        DENIED.format("runner", "other"),
    )
    assert platform.ask("admin", "POST", "/executions", body).status_code == 201


def test_the_one_in_whose_name_somebody_asks_counts(platform: Platform) -> None:
    with pytest.raises(ValidationError):
        rendered(platform, "admin", "{{ st2kv.system.other }}", api_user="runner")


def test_expressions_of_workflows(platform: Platform) -> None:
    keys = KeyAccess.of_config(platform.config)
    for user, may in (("clerk", True), ("runner", False)):
        lookup = KeyLookup(platform.database, keys, {"user": user})
        if may:
            assert lookup.find("system.k", decrypt=True) == "v"
        else:
            with pytest.raises(ValidationError):
                lookup.find("system.k", decrypt=True)


def test_the_platform_itself_reads_all(platform: Platform) -> None:
    keys = KeyAccess.of_config(platform.config).of_platform()
    lookup = KeyLookup(platform.database, keys, {"user": "runner"})
    assert lookup.decrypt(lookup.system["other"]) == "v"
