"""Executions over HTTP: start, list, select, repeat, cancel."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from flask.testing import FlaskClient
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models import actions
from st2common.models.actions import Action
from st2common.models.executions import Executions
from tests.printer import Printer

DATE = {"action": "core.local", "parameters": {"cmd": "date"}}


def test_an_accepted_execution_has_the_documented_form(client: FlaskClient) -> None:
    response = client.post("/v1/executions", json={**DATE, "user": None})
    assert response.status_code == 201
    execution = response.json
    assert execution["status"] == "requested"
    assert execution["action"]["ref"] == "core.local"
    assert execution["runner"]["name"] == "local-shell-cmd"
    assert execution["parameters"] == {"cmd": "date"}
    assert execution["context"] == {"user": "stanley", "pack": "core"}
    assert execution["liveaction"]["runner_info"] == {}
    assert [entry["status"] for entry in execution["log"]] == ["requested"]
    assert not {"result", "end_timestamp", "children"} & set(execution)
    shown = {**execution, "waiting": "Waits for an action runner: none is alive."}
    assert client.get(f"/v1/executions/{execution['id']}").json == shown
    assert client.get("/v1/executions/last").json == shown


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"action": "core.local", "parameters": {"cmd": "true", "zzz": 1}}, "Additional properties are not allowed"),
        ({"action": "core.local"}, "'cmd' is a required property"),
        ({"action": "core.off"}, 'Unable to execute. Action "core.off" is disabled.'),
        ({**DATE, "delay": -1}, "-1 is less than the minimum of 0"),
    ],
)
def test_refused_executions_do_not_exist(client: FlaskClient, body: dict[str, Any], fault: str) -> None:
    response = client.post("/v1/executions", json=body)
    assert response.status_code == 400
    assert response.json["faultstring"].startswith(fault)
    assert client.get("/v1/executions").json == []


def test_a_parameter_that_cannot_be_cast(client: FlaskClient) -> None:
    body = {"action": "core.local", "parameters": {"cmd": "true", "timeout": "abc"}}
    response = client.post("/v1/executions", json=body)
    expected = {"faultstring": "invalid literal for int() with base 10: 'abc'"}
    assert (response.status_code, response.json) == (400, expected)


def test_the_context_header_joins_the_context(client: FlaskClient) -> None:
    context = {"trace_context": {"trace_tag": "mine"}}
    response = client.post("/v1/executions", json=DATE, headers={"st2-context": json.dumps(context)})
    assert response.json["context"]["trace_context"] == {"trace_tag": "mine"}
    assert client.post("/v1/executions", json=DATE, headers={"st2-context": "{"}).status_code == 400
    assert client.post("/v1/executions", json=DATE, headers={"st2-context": "[]"}).status_code == 400


def test_who_is_told_of_the_end(client: FlaskClient) -> None:
    """The execution's own word counts, else the action's."""
    told = {"on-failure": {"routes": ["hubot"], "message": "It failed"}}
    asked = client.post("/v1/executions", json={**DATE, "notify": told}).json
    assert asked["liveaction"]["notify"] == told
    by_action = {"on-complete": {"routes": ["mail"], "data": {"to": "ops"}}}
    metadata = {"pack": "core", "name": "told", "runner_type": "local-shell-cmd", "notify": by_action}
    actions.save(Action.from_metadata(metadata))
    action = {"action": "core.told", "parameters": {"cmd": "date"}}
    begun = client.post("/v1/executions", json={**action, "notify": None}).json
    assert begun["liveaction"]["notify"] == by_action
    begun = client.post("/v1/executions", json={**action, "notify": told}).json
    assert begun["liveaction"]["notify"] == told
    for wrong in ({"on-start": {}}, {"on-complete": {"route": "mail"}}, {"on-complete": []}, "mail"):
        assert client.post("/v1/executions", json={**DATE, "notify": wrong}).status_code == 400, wrong


def test_secrets_are_masked_unless_asked_for(client: FlaskClient) -> None:
    parameters = {"cmd": "date", "sudo_password": "geheim"}
    response = client.post("/v1/executions", json={"action": "core.local", "parameters": parameters})
    assert response.json["parameters"]["sudo_password"] == "********"
    path = f"/v1/executions/{response.json['id']}"
    for masked in (
        path,
        "/v1/executions",
        f"{path}?include_attributes=parameters",
        f"{path}?exclude_attributes=status",
    ):
        assert "geheim" not in client.get(masked).text
    assert client.get(f"{path}?show_secrets=True").json["parameters"]["sudo_password"] == "geheim"


@pytest.mark.parametrize("name", ["000000000000000000000000", "zzz", "%00", "a" * 5000])
def test_unknown_ids(client: FlaskClient, name: str) -> None:
    for path in ("", "/output", "/stdout", "/result", "/attribute/result", "/children"):
        assert client.get(f"/v1/executions/{name}{path}").status_code == 404
    assert client.delete(f"/v1/executions/{name}").status_code == 404
    assert client.post(f"/v1/executions/{name}/re_run", json={}).status_code == 404
    response = client.put(f"/v1/executions/{name}", json={"status": "canceled"})
    assert response.status_code == 404


def test_the_text_of_an_unknown_id(client: FlaskClient) -> None:
    response = client.get("/v1/executions/zzz")
    assert response.json == {"faultstring": 'Unable to identify resource with id "zzz".'}


def test_there_is_no_last_execution_yet(client: FlaskClient) -> None:
    assert client.get("/v1/executions/last/output").status_code == 400


class TestLists:
    @pytest.fixture
    def ids(self, database: Database[dict[str, Any]], client: FlaskClient) -> list[str]:
        """Of five executions, the oldest first: started a week, a day, an hour, a minute ago, and now."""
        found = []
        for seconds in (7 * 86400, 86400, 3600, 60, 0):
            execution_id = client.post("/v1/executions", json=DATE).json["id"]
            Executions(database).collection.update_one(
                {"_id": ObjectId(execution_id)}, {"$set": {"start_timestamp": now_us() - seconds * 1_000_000}}
            )
            found.append(execution_id)
        client.delete(f"/v1/executions/{found[1]}")
        return found

    def test_the_newest_come_first_in_pages(self, client: FlaskClient, ids: list[str]) -> None:
        response = client.get("/v1/executions?limit=2&offset=1")
        assert [each["id"] for each in response.json] == [ids[3], ids[2]]
        assert response.headers["X-Total-Count"] == "5"
        assert response.headers["X-Limit"] == "2"

    def test_everything_has_no_limit(self, client: FlaskClient, ids: list[str]) -> None:
        response = client.get("/v1/executions?limit=-1&sort_asc=True")
        assert [each["id"] for each in response.json] == ids
        assert "X-Limit" not in response.headers

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("status=canceled", [1]),
            ("action=core.local&limit=3", [4, 3, 2]),
            ("action=core.nosuch", []),
            ("parent=null&limit=1", [4]),
            ("user=stanley&runner=local-shell-cmd&limit=1", [4]),
            ("parent=000000000000000000000000", []),
            ("filter=context.user:stanley%20status:canceled", [1]),
            ("sort=start_timestamp,nosuch&limit=1", [0]),
            ("id=nosuch", []),
        ],
    )
    def test_filters(self, client: FlaskClient, ids: list[str], query: str, expected: list[int]) -> None:
        response = client.get(f"/v1/executions?{query}")
        assert [each["id"] for each in response.json] == [ids[index] for index in expected]

    def test_time_ranges_decide_the_order(self, client: FlaskClient, ids: list[str]) -> None:
        first, last = (client.get(f"/v1/executions/{ids[index]}").json["start_timestamp"] for index in (1, 3))
        upwards = client.get("/v1/executions", query_string={"timestamp": f"{first}..{last}"}).json
        assert [each["id"] for each in upwards] == ids[1:4]
        downwards = client.get("/v1/executions", query_string={"timestamp": f"{last}..{first}"}).json
        assert [each["id"] for each in downwards] == ids[3:0:-1]
        later = client.get("/v1/executions", query_string={"timestamp_gt": first}).json
        assert [each["id"] for each in later] == ids[2:]
        earlier = client.get("/v1/executions", query_string={"timestamp_lt": last}).json
        assert [each["id"] for each in earlier] == ids[2::-1]

    def test_several_ids(self, client: FlaskClient, ids: list[str]) -> None:
        response = client.get(f"/v1/executions?id={ids[0]},{ids[4]},nosuch")
        assert [each["id"] for each in response.json] == [ids[4], ids[0]]
        assert response.headers["X-Total-Count"] == "2"

    def test_attributes(self, client: FlaskClient, ids: list[str]) -> None:
        found = client.get("/v1/executions?include_attributes=id,status,action.ref&limit=1").json[0]
        assert set(found) == {"id", "status", "action"}
        assert set(found["action"]) == {"ref", "pack", "uid", "parameters", "output_schema"}
        without = client.get("/v1/executions?exclude_attributes=result,trigger_instance&status=canceled").json[0]
        assert "result" not in without
        assert without["status"] == "canceled"

    def test_what_the_command_line_asks_for(self, client: FlaskClient, ids: list[str]) -> None:
        listed = client.get(
            "/v1/executions/?limit=50&parent=null&sort_desc=True&include_attributes="
            "id%2Caction.ref%2Ccontext.user%2Cstatus%2Cstart_timestamp%2Cend_timestamp"
        ).json
        assert len(listed) == 5
        assert set(listed[0]) == {"id", "action", "context", "status", "start_timestamp"}


class TestCancel:
    def test_what_waits_is_canceled_at_once(self, client: FlaskClient, started: dict[str, Any]) -> None:
        response = client.delete(f"/v1/executions/{started['id']}")
        assert response.status_code == 200
        assert response.json["status"] == "canceled"
        assert response.json["result"] == {"message": "Action canceled by user.", "user": "stanley"}
        assert response.json["context"]["cancelled_by"] == "stanley"
        again = client.delete(f"/v1/executions/{started['id']}")
        assert (again.status_code, again.json) == (200, response.json)

    def test_what_runs_is_canceling(self, client: FlaskClient, started: dict[str, Any], printer: Printer) -> None:
        response = client.put(f"/v1/executions/{started['id']}", json={"status": "canceling"})
        assert response.status_code == 200
        assert response.json["status"] == "canceling"
        again = client.delete(f"/v1/executions/{started['id']}")
        fault = {"faultstring": "Action cannot be canceled. State = canceling."}
        assert (again.status_code, again.json) == (200, fault)

    def test_what_has_ended_stays(self, client: FlaskClient, started: dict[str, Any], printer: Printer) -> None:
        printer.end()
        response = client.delete(f"/v1/executions/{started['id']}")
        fault = {"faultstring": "Action cannot be canceled. State = succeeded."}
        assert (response.status_code, response.json) == (200, fault)
        response = client.put(f"/v1/executions/{started['id']}", json={"status": "pausing"})
        assert (response.status_code, response.json) == (
            400,
            {"faultstring": "Execution is already in completed state."},
        )

    @pytest.mark.parametrize("body", [{}, {"status": "nosuch"}, {"status": "paused"}, {"status": "succeeded"}, []])
    def test_other_changes_are_refused(self, client: FlaskClient, started: dict[str, Any], body: Any) -> None:
        assert client.put(f"/v1/executions/{started['id']}", json=body).status_code == 400
        assert client.get(f"/v1/executions/{started['id']}").json["status"] == "requested"


class TestRepeat:
    def test_parameters_merge(self, client: FlaskClient, started: dict[str, Any]) -> None:
        body = {"parameters": {"timeout": 5}, "tasks": [], "reset": [], "delay": 0}
        response = client.post(f"/v1/executions/{started['id']}/re_run", json=body)
        assert response.status_code == 201
        assert response.json["parameters"] == {"cmd": "date", "timeout": 5}
        assert response.json["context"]["re-run"] == {"ref": started["id"]}
        assert response.json["id"] != started["id"]

    @pytest.mark.parametrize(
        "body",
        [
            {"tasks": ["a"]},
            {"tasks": ["a"], "parameters": {"cmd": "x"}},
            {"tasks": ["a"], "reset": ["b"]},
            {"parameters": {"nosuch": 1}},
        ],
    )
    def test_what_makes_no_sense(self, client: FlaskClient, started: dict[str, Any], body: dict[str, Any]) -> None:
        assert client.post(f"/v1/executions/{started['id']}/re_run", json=body).status_code == 400


class TestResults:
    RESULT = {"failed": False, "succeeded": True, "return_code": 0, "stdout": "hällo", "stderr": ""}

    def test_forms(self, client: FlaskClient, started: dict[str, Any], printer: Printer) -> None:
        printer.end(self.RESULT)
        path = f"/v1/executions/{started['id']}"
        assert client.get(f"{path}/attribute/result").json == self.RESULT
        assert client.get(f"{path}/attribute/status").json == "succeeded"
        plain = client.get(f"{path}/result")
        assert plain.content_type == "text/json"
        assert json.loads(plain.text) == self.RESULT
        assert "\n" in client.get(f"{path}/result?pretty_format=true").text
        packed = client.get(f"{path}/result?download=true&compress=1")
        assert packed.headers["Content-Encoding"] == "gzip"
        name = f"execution_{started['id']}_result.json.gz"
        assert packed.headers["Content-Disposition"] == f"attachment; filename={name}"
        assert json.loads(gzip.decompress(packed.data)) == self.RESULT

    def test_a_large_result_can_be_left_out(
        self, client: FlaskClient, started: dict[str, Any], printer: Printer
    ) -> None:
        printer.end(self.RESULT, result_size=100)
        path = f"/v1/executions/{started['id']}"
        assert "result" not in client.get(f"{path}?max_result_size=99").json
        assert "result" in client.get(f"{path}?max_result_size=100").json
        assert client.get(f"{path}?max_result_size=-1").status_code == 400

    def test_other_attributes_are_refused(self, client: FlaskClient, started: dict[str, Any]) -> None:
        assert client.get(f"/v1/executions/{started['id']}/attribute/context").status_code == 400

    def test_output_that_is_in_the_log_alone(
        self, client: FlaskClient, started: dict[str, Any], printer: Printer
    ) -> None:
        line = b"x" * 59_999 + b"\n"
        for _ in range(20):
            printer.print(line)
        printer.end({**self.RESULT, "stdout": ""}, output_in_log={"stdout": 20 * len(line)})
        path = f"/v1/executions/{started['id']}"
        shown = client.get(path).json["result"]["stdout"]
        assert shown.startswith("xxx")
        mark = f"[{20 * 60_000 - 2**20} of {20 * 60_000} bytes left out: GET {path}/stdout]"
        assert shown.endswith(mark)
        whole = json.loads(client.get(f"{path}/result").text)["stdout"]
        assert whole == (line * 20).decode().rstrip("\n")
        listed = client.get("/v1/executions").json[0]["result"]["stdout"]
        assert listed == f"[{20 * 60_000} of {20 * 60_000} bytes left out: GET {path}/stdout]"


def test_children(client: FlaskClient, database: Database[dict[str, Any]]) -> None:
    ids = [client.post("/v1/executions", json=DATE).json["id"] for _ in range(4)]
    # 0 -> 1 -> 3, 0 -> 2
    for child, parent in ((1, 0), (2, 0), (3, 1)):
        Executions(database).collection.update_one({"_id": ObjectId(ids[child])}, {"$set": {"parent": ids[parent]}})

    def of(query: str) -> list[str]:
        return [each["id"] for each in client.get(f"/v1/executions/{ids[0]}/children/?{query}").json]

    assert of("depth=-1") == [ids[1], ids[3], ids[2]]
    assert of("depth=1") == [ids[1], ids[2]]
    assert of("result_fmt=sorted") == [ids[1], ids[2], ids[3]]


def test_the_page_of_a_deleted_log(
    client: FlaskClient, started: dict[str, Any], print_of: Callable[..., Printer]
) -> None:
    """An execution whose output was removed is over: nobody waits for more."""
    client.delete(f"/v1/executions/{started['id']}")
    assert client.get(f"/v1/executions/{started['id']}/stdout").data == b""
