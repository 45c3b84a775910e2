"""What is remembered is soon forgotten, and at once where this process changes something."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from st2common.models import actions, recent
from st2common.models.actions import Action


def action(description: str) -> Action:
    facts = {"pack": "core", "name": "local", "runner_type": "local-shell-cmd", "description": description}
    return Action.from_metadata(facts)


def described() -> str:
    found = actions.recent("core.local")
    assert found is not None
    description: str = found["description"]
    return description


def change_elsewhere(database: Database[dict[str, Any]], description: str) -> None:
    database["action_d_b"].update_one({"ref": "core.local"}, {"$set": {"description": description}})


def test_what_is_not_there_is_looked_for_again(database: Database[dict[str, Any]]) -> None:
    assert actions.recent("core.local") is None
    database["action_d_b"].insert_one(action("first").to_mongo().to_dict())
    assert described() == "first"


def test_our_own_changes_are_seen_at_once(database: Database[dict[str, Any]]) -> None:
    actions.save(action("first"))
    assert described() == "first"
    actions.save(action("second"))
    assert described() == "second"
    actions.remove_pack("core")
    assert actions.recent("core.local") is None


def test_others_changes_are_seen_after_a_moment(
    database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    actions.save(action("first"))
    assert described() == "first"
    change_elsewhere(database, "second")
    assert described() == "first"
    monkeypatch.setattr(recent, "MOMENT", 0.0)
    assert described() == "second"


def test_an_answer_belongs_to_who_asked(database: Database[dict[str, Any]]) -> None:
    actions.save(action("first"))
    found = actions.recent("core.local")
    assert found is not None
    found["description"] = "changed"
    assert described() == "first"
