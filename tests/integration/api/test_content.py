"""Actions, runner types, packs and the caller over HTTP."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient


def test_actions_are_sorted_and_have_no_default_limit(client: FlaskClient) -> None:
    response = client.get("/v1/actions")
    assert [each["ref"] for each in response.json] == ["core.hello", "core.local", "core.off", "core.outside"]
    assert response.headers["X-Total-Count"] == "4"
    assert "X-Limit" not in response.headers
    page = client.get("/v1/actions?limit=1&offset=1")
    assert [each["ref"] for each in page.json] == ["core.local"]
    assert page.headers["X-Limit"] == "1"


def test_one_action(client: FlaskClient) -> None:
    action = client.get("/v1/actions/core.local").json
    assert action["uid"] == "action:core:local"
    assert action["tags"] == []
    assert client.get(f"/v1/actions/{action['id']}").json == action
    for unknown in ("core.nosuch", "nosuch", "000000000000000000000000"):
        response = client.get(f"/v1/actions/{unknown}")
        expected = {"faultstring": f'Resource with a reference or id "{unknown}" not found'}
        assert (response.status_code, response.json) == (404, expected)


def test_attributes_of_actions(client: FlaskClient) -> None:
    listed = client.get("/v1/actions?include_attributes=ref,pack,description&name=local").json
    assert [set(each) for each in listed] == [{"id", "ref", "pack", "description"}]
    assert client.get("/v1/actions?exclude_attributes=parameters,notify&name=local").json[0].keys() >= {"id", "tags"}
    assert client.get("/v1/actions?exclude_attributes=name").status_code == 400


def test_views_merge_the_parameters_of_runner_and_action(client: FlaskClient) -> None:
    merged = client.get("/v1/actions/views/overview/core.local").json["parameters"]
    assert merged["sudo"] == {"type": "boolean", "default": False, "immutable": True}
    assert merged["timeout"]["default"] == 60
    listed = client.get("/v1/actions/views/overview?name=local").json
    assert listed[0]["parameters"] == merged
    assert client.get("/v1/actions/views/parameters/core.local").json == {"parameters": merged}


def test_entry_points(client: FlaskClient) -> None:
    response = client.get("/v1/actions/views/entry_point/core.hello")
    assert response.text == "print('hello')\n"
    assert response.content_type.startswith("application/x-python")
    # Without an entry point, and with one that is not the pack's.
    assert client.get("/v1/actions/views/entry_point/core.local").status_code == 404
    assert client.get("/v1/actions/views/entry_point/core.outside").status_code == 404


def test_runner_types(client: FlaskClient) -> None:
    listed = client.get("/v1/runnertypes/?name=local-shell-cmd")
    assert [each["name"] for each in listed.json] == ["local-shell-cmd"]
    assert listed.headers["X-Limit"] == "100"
    assert client.get("/v1/runnertypes/local-shell-cmd").json == listed.json[0]
    assert client.get("/v1/runnertypes/nosuch").status_code == 404


@pytest.mark.parametrize("body", [{}, [], {"enabled": "no"}])
def test_switching_a_runner_type_needs_a_boolean(client: FlaskClient, body: object) -> None:
    assert client.put("/v1/runnertypes/local-shell-cmd", json=body).status_code == 400


def test_a_runner_type_is_switched_off(client: FlaskClient) -> None:
    response = client.put("/v1/runnertypes/local-shell-cmd", json={"enabled": False, "name": "other"})
    assert response.json["enabled"] is False
    assert response.json["name"] == "local-shell-cmd"
    assert client.get("/v1/runnertypes/local-shell-cmd").json["enabled"] is False


def test_packs(client: FlaskClient) -> None:
    assert [each["ref"] for each in client.get("/v1/packs").json] == ["core"]
    pack = client.get("/v1/packs/core").json
    assert (pack["version"], pack["uid"]) == ("1.0.1", "pack:core")
    assert client.get("/v1/packs/nosuch").status_code == 404


def test_the_caller_is_the_user_that_actions_run_as(client: FlaskClient) -> None:
    caller = client.get("/v1/user").json
    assert caller["username"] == "stanley"
    assert caller["rbac"] == {"enabled": False, "roles": [], "is_admin": True}


def test_the_page_is_for_browsers(client: FlaskClient) -> None:
    response = client.get("http://127.0.0.1:9101/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert response.content_type.startswith("text/html")
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "connect-src 'self' http://127.0.0.1:9102;" in policy
    assert 'data-stream="http://127.0.0.1:9102/v1"' in response.text
    assert "inline" not in policy
    for name in ("app.js", "style.css"):
        assert f'"web/{name}"' in response.text
    for name in ("app.js", "ansi.js", "log.js", "style.css"):
        assert client.get(f"/web/{name}").status_code == 200
    assert client.get("/web/index.html").status_code == 404


def test_the_page_behind_a_proxy_uses_its_paths(client: FlaskClient) -> None:
    response = client.get("https://st2.localhost/", headers={"Accept": "text/html"})
    assert 'data-stream="/stream/v1"' in response.text
    assert "connect-src 'self';" in response.headers["Content-Security-Policy"]
