"""Words of the command line to parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from st2cli.errors import CommandError
from st2cli.values import cast, parse

_SCHEMAS: dict[str, dict[str, Any]] = {
    "cmd": {"type": "string"},
    "hosts": {"type": "array"},
    "ports": {"type": "array", "items": {"type": "integer"}},
    "env": {"type": "object"},
    "sized": {"type": "object", "properties": {"n": {"type": "integer"}}},
    "sudo": {"type": "boolean"},
    "timeout": {"type": "integer"},
    "ratio": {"type": "number"},
    "either": {"type": ["integer", "string", "null"]},
}


@pytest.mark.parametrize(
    ("words", "parameters"),
    [
        ([], {}),
        (["cmd=date -u"], {"cmd": "date -u"}),
        (["date", "-u", "a=b"], {"cmd": "date -u a=b"}),
        (["timeout=5", "echo", "x"], {"timeout": 5, "cmd": "echo x"}),
        (["echo A=1 there"], {"cmd": "echo A=1 there"}),
        (["cmd=a=b"], {"cmd": "a=b"}),
        (["cmd="], {"cmd": ""}),
        (["cmd=two\nlines"], {"cmd": "two\nlines"}),
        (["hosts=a, b"], {"hosts": ["a", "b"]}),
        (["hosts=a", "hosts=b,c"], {"hosts": ["a", "b", "c"]}),
        (['hosts=["x", 1]'], {"hosts": ["x", 1]}),
        (["hosts="], {"hosts": []}),
        (["ports=1,2"], {"ports": [1, 2]}),
        (["env=A=1,B=x=y"], {"env": {"A": "1", "B": "x=y"}}),
        (['env={"A": 1}'], {"env": {"A": 1}}),
        (["sized=n=3"], {"sized": {"n": 3}}),
        (["sudo=True"], {"sudo": True}),
        (["sudo=0"], {"sudo": False}),
        (["timeout=-1"], {"timeout": -1}),
        (["ratio=2", "ratio=0.5"], {"ratio": 0.5}),
        (["either=5"], {"either": 5}),
        (["either=five"], {"either": "five"}),
        (["either=null"], {"either": None}),
        (["undeclared=5"], {"undeclared": "5"}),
    ],
)
def test_words_become_values(words: list[str], parameters: dict[str, Any]) -> None:
    assert parse(words, _SCHEMAS) == parameters


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("timeout=abc", 'Parameter "timeout": "abc" is not an integer'),
        ("ratio=abc", "is not a number"),
        ("sudo=perhaps", "is not a boolean"),
        ("env=A", "is not an object"),
        ("env={broken", "is no object in JSON"),
        ("hosts=[broken", "is no array in JSON"),
        ("ports=1,x", "is not an integer"),
        ("@cmd=/does/not/exist", "cannot read /does/not/exist: No such file"),
    ],
)
def test_what_does_not_fit_is_said_with_its_name(word: str, complaint: str) -> None:
    with pytest.raises(CommandError, match="Parameter") as caught:
        parse([word], _SCHEMAS)
    assert complaint in str(caught.value)


def test_a_file_gives_the_value(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("a,b")
    assert parse([f"@hosts={tmp_path}/hosts"], _SCHEMAS) == {"hosts": ["a", "b"]}


def test_a_file_for_an_http_request_is_uploaded(tmp_path: Path) -> None:
    (tmp_path / "body.txt").write_text("content")
    parameters = parse([f"@data={tmp_path}/body.txt"], {}, runner="http-request")
    assert parameters == {"file_content": "content", "file_name": "body.txt", "method": "POST"}


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="not a text file"):
        parse([f"@cmd={tmp_path}/binary"], _SCHEMAS)


def test_a_value_without_schema_stays_text() -> None:
    assert cast("x", "1", {}) == "1"
