"""Actions without a child: questions to people, from the runner to the answer, and announcements."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.clock import now_us
from st2common.errors import AccessDenied, NotFound, ValidationError
from st2common.models.execution_view import to_api
from st2common.services import inquiries
from st2common.services.inquiries import NotAnswerable
from st2common.transport.port import Message
from st2common.transport.topology import ANNOUNCEMENT, EXECUTION_OUTPUT
from st2garbagecollector.inquiries import InquiryTimeout
from tests.conditions import eventually
from tests.integration.actionrunner.bench import PATIENCE, Bench

SCHEMA = {
    "type": "object",
    "properties": {
        "go": {"type": "boolean", "required": True},
        "word": {"type": "string", "secret": True, "minLength": 4},
    },
    "additionalProperties": False,
}


def asked(bench: Bench, **parameters: Any) -> str:
    """Ask; the id of the inquiry that waits."""
    execution_id = bench.request("", "core.ask", **parameters)
    eventually(lambda: bench.stored(execution_id)["status"] == "pending", PATIENCE)
    return execution_id


def answer(
    bench: Bench, inquiry_id: str, response: dict[str, Any], user: str = "somebody", roles: list[str] | None = None
) -> dict[str, Any]:
    return inquiries.answer_inquiry(
        bench.database, bench.transport, inquiry_id=inquiry_id, response=response, user=user, roles=roles
    )


def test_from_the_question_to_the_answer(bench: Bench) -> None:
    bench.runner(places=1)
    inquiry_id = asked(bench, schema=SCHEMA, route="door", ttl=5)
    waiting = bench.stored(inquiry_id)
    assert waiting["result"] == {"schema": SCHEMA, "users": [], "roles": [], "route": "door", "ttl": 5}
    assert "end_timestamp" not in waiting
    assert bench.log.end(inquiry_id) is None
    eventually(lambda: bench.run_directories() == [])
    # Its place in the runner is free.
    assert bench.run("true")["status"] == "succeeded"

    answer(bench, inquiry_id, {"go": True, "word": "sesame"})
    ended = bench.stored(inquiry_id)
    assert (ended["status"], ended["result"]["response"]) == ("succeeded", {"go": True, "word": "sesame"})
    assert ended["context"]["responded_by"] == "somebody"
    assert bench.end_of_log(inquiry_id).status == "succeeded"
    eventually(lambda: "succeeded" in bench.statuses(inquiry_id))
    assert bench.statuses(inquiry_id) == ["requested", "scheduled", "running", "pending", "succeeded"]
    assert [entry["status"] for entry in ended["log"]] == bench.statuses(inquiry_id)
    assert to_api(ended)["result"]["response"] == {"go": True, "word": "********"}
    assert to_api(ended, mask_secrets=False)["result"]["response"]["word"] == "sesame"
    assert "sesame" not in bench.told()
    assert any(message.exchange == EXECUTION_OUTPUT for message in bench.events)

    with pytest.raises(NotAnswerable, match="has already been responded to"):
        answer(bench, inquiry_id, {"go": False})


def test_answers_that_are_not_taken(bench: Bench) -> None:
    bench.runner()
    inquiry_id = asked(bench, schema=SCHEMA, users=["ann", "bob"], roles=["ops"])
    with pytest.raises(AccessDenied, match='User "eve" does not have permission'):
        answer(bench, inquiry_id, {"go": True}, user="eve")
    with pytest.raises(AccessDenied):
        answer(bench, inquiry_id, {"go": True}, user="ann", roles=["dev"])
    for response, reason in (({}, "'go' is a required"), ({"go": 1}, "1 is not of type"), ({"x": 1}, "unexpected")):
        with pytest.raises(ValidationError, match=f"did not pass schema validation. .*{reason}"):
            answer(bench, inquiry_id, response, user="ann")
    with pytest.raises(ValidationError, match="minLength") as refused:
        answer(bench, inquiry_id, {"go": True, "word": "xyz"}, user="ann")
    assert "xyz" not in str(refused.value)
    assert bench.stored(inquiry_id)["status"] == "pending"
    assert answer(bench, inquiry_id, {"go": True}, user="bob", roles=["dev", "ops"])["status"] == "succeeded"

    with pytest.raises(NotFound):
        answer(bench, "000000000000000000000000", {})
    other = bench.run("true")
    with pytest.raises(NotAnswerable, match="is not an inquiry"):
        answer(bench, str(other["_id"]), {})


def test_nobody_answers_in_time(bench: Bench) -> None:
    bench.runner()
    forever, late, early = (asked(bench, ttl=ttl) for ttl in (0, 1, 600))
    minute_ago = now_us() - 1
    bench.executions.collection.update_one({"_id": bench.stored(late)["_id"]}, {"$set": {"pending_until": minute_ago}})
    assert InquiryTimeout(bench.database, bench.transport).run() is False
    assert [bench.stored(execution_id)["status"] for execution_id in (forever, late, early)] == [
        "pending",
        "timeout",
        "pending",
    ]
    assert bench.end_of_log(late).status == "timeout"
    with pytest.raises(NotAnswerable, match="timed out"):
        answer(bench, late, {"continue": True})


def test_a_pending_one_is_canceled(bench: Bench) -> None:
    runner = bench.runner()
    inquiry_id = asked(bench)
    # What waits for people needs no runner.
    bench.stop(runner)
    bench.cancel(inquiry_id)
    ended = bench.stored(inquiry_id)
    assert (ended["status"], ended["result"]["user"]) == ("canceled", "somebody")
    assert bench.end_of_log(inquiry_id).status == "canceled"
    with pytest.raises(NotAnswerable, match="canceled"):
        answer(bench, inquiry_id, {"continue": True})


def test_it_waits_while_runners_come_and_go(bench: Bench) -> None:
    runner = bench.runner()
    inquiry_id = asked(bench)
    bench.stop(runner)
    bench.runner()
    assert bench.run("true")["status"] == "succeeded"
    assert bench.stored(inquiry_id)["status"] == "pending"
    assert answer(bench, inquiry_id, {"continue": False})["status"] == "succeeded"


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"properties": 5}, {"$ref": "http://127.0.0.1:1/"}])
def test_a_schema_that_is_none(bench: Bench, schema: dict[str, Any]) -> None:
    bench.runner()
    if "$ref" in schema:
        inquiry_id = asked(bench, schema=schema)
        with pytest.raises(ValidationError, match="refers to"):
            answer(bench, inquiry_id, {})
        return
    ended = bench.run("", "core.ask", schema=schema)
    assert (ended["status"], "schema" in ended["result"]["error"]) == ("failed", True)


def test_announcements(bench: Bench) -> None:
    heard: list[Message] = []
    subscription = bench.transport.subscribe(heard.append, lambda: None)
    subscription.bind(ANNOUNCEMENT, "#")
    bench.runner()
    ended = bench.run("", "core.announcement", message={"x": 1}, route="chat.ops")
    assert (ended["status"], ended["result"]) == ("succeeded", {"output": {"message": {"x": 1}}, "message": {"x": 1}})
    assert bench.end_of_log(str(ended["_id"])).status == "succeeded"
    eventually(lambda: heard)
    assert [(message.routing_key, message.body["payload"]) for message in heard] == [
        ("chat.ops", {"message": {"x": 1}})
    ]
    eventually(lambda: bench.statuses(str(ended["_id"])) == ["requested", "scheduled", "running", "succeeded"])
