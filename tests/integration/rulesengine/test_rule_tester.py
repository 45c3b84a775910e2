"""``st2-rule-tester`` on files and on what is stored."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo.database import Database

from st2rulesengine.rule_tester import MATCHES, NO_MATCH, WRONG_USE, main

RULE = """
name: rule
trigger: {type: mine.event}
criteria:
  trigger.a: {type: gt, pattern: 3}
  trigger.b: {type: exists, pattern: true}
action: {ref: mine.act, parameters: {text: "it is {{ trigger.a }}"}}
"""


@pytest.fixture
def test(tmp_path: Path) -> Callable[[str, str], int]:
    def run(rule: str, event: str) -> int:
        (tmp_path / "rule.yaml").write_text(rule)
        (tmp_path / "event.yaml").write_text(event)
        files = ["--rule", str(tmp_path / "rule.yaml"), "--trigger-instance", str(tmp_path / "event.yaml")]
        return main([*files, "--offline"])

    return run


def test_files(test: Callable[[str, str], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert test(RULE, "trigger: mine.event\npayload: {a: 5, b: x}") == MATCHES
    assert '"text": "it is 5"' in capsys.readouterr().out
    assert test(RULE, "trigger: {type: mine.event}\npayload: {a: 1, b: x}") == NO_MATCH
    assert capsys.readouterr().out.splitlines() == [
        "  no     trigger.a gt 3",
        "  yes    trigger.b exists True",
        "No match.",
    ]
    assert test(RULE, "trigger: mine.event\npayload: {b: x}") == NO_MATCH
    assert 'a failed enforcement: criteria "trigger.a": the value is missing' in capsys.readouterr().out
    assert test(RULE, "trigger: mine.other\npayload: {}") == NO_MATCH
    assert "the rule waits for mine.event, and the event is one of mine.other" in capsys.readouterr().out
    # YAML has values that JSON has not.
    whole = "name: rule\ntrigger: {type: mine.event}\naction: {ref: mine.act, parameters: {day: '{{trigger.day}}'}}"
    assert test(whole, "trigger: mine.event\npayload: {day: 2026-01-02}") == MATCHES
    assert '"day": "2026-01-02"' in capsys.readouterr().out


def test_files_that_are_none(test: Callable[[str, str], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert test("name: rule", "trigger: mine.event") == WRONG_USE
    assert "'trigger' is a required property" in capsys.readouterr().err
    assert test(RULE, "payload: {}") == WRONG_USE
    assert "it has to say trigger and payload" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--rule-ref", "mine.rule", "--trigger-instance-id", "x", "--offline"])


def test_what_is_stored(
    database: Database[dict[str, Any]],
    database_uri: str,
    tmp_path: Path,
    rule: Callable[..., dict[str, Any]],
    happen: Callable[..., str],
) -> None:
    rule(criteria={"trigger.a": {"type": "eq", "pattern": 1}})
    first, second = happen({"a": 1}), happen({"a": 2})
    port = urlsplit(database_uri).port
    (tmp_path / "st2.conf").write_text(f"[database]\nport = {port}\ndb_name = {database.name}\n")
    command = [sys.executable, "-m", "st2rulesengine.rule_tester", "--config-file", str(tmp_path / "st2.conf")]
    words = [*command, "--rule-ref", "mine.rule", "--trigger-instance-id"]
    done = [
        subprocess.run([*words, event], capture_output=True, text=True, check=False)
        for event in (first, second, "nosuch")
    ]
    assert [each.returncode for each in done] == [MATCHES, NO_MATCH, WRONG_USE], done
    assert 'There is no trigger instance "nosuch".' in done[2].stderr
    assert database["action_execution_d_b"].count_documents({}) == 0
